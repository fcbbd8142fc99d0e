"""Gates: who is served, when canaries run, and what a failed one leads to."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from adapters.bases.loader import Base
from adapters.engines.canary import Canary
from adapters.engines.gated import GatedEngine, Gates
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, GenerateResult, Sampling, ScoreRequest, ScoreResult
from adapters.errors import NotReadyError, StateError
from adapters.lora.adapter import Adapter
from adapters.store.catalog.states import LEGAL, Move, State
from adapters.store.tiers.reader import TieredAdapters
from tests.adapters.engines.random_adapters import Shelf

CANARY = Canary((1, 2, 3))


class Book:
    """States in memory."""

    def __init__(self, revisions: Collection[str]) -> None:
        self.states: dict[str, State] = dict.fromkeys(revisions, "registered")
        self.reasons: list[tuple[str, State, str]] = []

    def of_each(self, revisions: Collection[str]) -> Mapping[str, State]:
        return {r: self.states[r] for r in revisions if r in self.states}

    def follow(self, moves: Sequence[Move]) -> None:
        for revision, to, reason in moves:
            if to in LEGAL[self.states[revision]]:
                self.states[revision] = to
                self.reasons.append((revision, to, reason))


class Spy:
    """Passes batches on, keeps their sizes, and can spoil replies."""

    def __init__(self, inner: LocalEngine) -> None:
        self.inner = inner
        self.batches: list[list[str]] = []
        self.spoil = ""

    def generate(self, requests: list[GenerateRequest]) -> list[GenerateResult]:
        self.batches.append([r.request_id for r in requests])
        results = self.inner.generate(requests)
        return [
            replace(r, logprobs=(math.nan,) * len(r.logprobs))
            if self.spoil and self.spoil in r.request_id
            else r
            for r in results
        ]

    def score(self, requests: list[ScoreRequest]) -> list[ScoreResult]:
        return self.inner.score(requests)

    def close(self) -> None:
        self.inner.close()


class Bench:
    """A gated engine with everything around it."""

    def __init__(self, base: Base, shelf: Shelf, *, queue: int = 8, **limits: int) -> None:
        self.book = Book(shelf.adapters)
        self.tiers = TieredAdapters(shelf, warm_bytes=1 << 20, queue=queue)
        self.spy = Spy(LocalEngine(base, self.tiers, max_slots=4))
        self.engine = GatedEngine(self.spy, self.tiers, self.book, Gates(CANARY, **limits))

    def loaded(self, *revisions: str) -> None:
        """Prewarm, and wait for the files alone."""
        for revision in revisions:
            self.engine.prewarm(revision)
        for job in self.engine._loading.values():
            job.exception(20)

    @property
    def states(self) -> dict[str, State]:
        """What is in the book once everything is written."""
        self.engine._states.flush()
        return self.book.states


@pytest.fixture
def bench(base: Base, shelf: Shelf) -> Iterator[Bench]:
    bench = Bench(base, shelf)
    yield bench
    bench.engine.close()
    bench.tiers.close()


def ask(name: str, adapter: str | None) -> GenerateRequest:
    return GenerateRequest(name, (5, 6, 7), adapter, Sampling(3, seed=1))


def test_only_ready_adapters_and_the_base_are_served(bench: Bench) -> None:
    bench.book.states |= {"rev-0": "ready", "rev-1": "served", "rev-3": "evicted", "rev-4": "retired"}
    names = [None, *(f"rev-{i}" for i in range(6))]
    results = bench.engine.generate([ask(str(i), name) for i, name in enumerate(names)])
    kinds = [r.error.kind if r.error else None for r in results]
    assert kinds == [None, None, None, "not_ready", "not_ready", "not_ready", "not_ready"]
    assert [r.request_id for r in results] == [str(i) for i in range(7)]
    scores = bench.engine.score([ScoreRequest(str(i), (1,), (2,), n) for i, n in enumerate(names)])
    assert [s.error.kind if s.error else None for s in scores] == kinds


def test_an_adapter_that_the_store_does_not_know_is_left_to_the_engine(bench: Bench) -> None:
    (result,) = bench.engine.generate([ask("a", "nobody")])
    assert result.error is not None
    assert result.error.kind == "unknown_adapter"


def test_a_canary_rides_on_the_next_batch_and_opens_the_gate(bench: Bench) -> None:
    bench.book.states["rev-0"] = "ready"
    bench.loaded("rev-1")
    assert bench.states["rev-1"] == "prewarming"
    first = bench.engine.generate([ask("a", "rev-0"), ask("b", "rev-1")])
    assert [r.error.kind if r.error else None for r in first] == [None, "not_ready"]
    assert bench.spy.batches == [["a", "canary rev-1"]]
    assert bench.states["rev-1"] == "ready"
    assert bench.engine.generate([ask("b", "rev-1")])[0].error is None


def test_the_gate_changes_no_reply(bench: Bench, base: Base, adapters: dict[str, Adapter]) -> None:
    plain = LocalEngine(base, Shelf(adapters), max_slots=4)
    expected = plain.generate([ask("a", "rev-0"), ask("b", None)])
    plain.close()
    bench.book.states["rev-0"] = "ready"
    bench.loaded("rev-1", "rev-2")
    found = bench.engine.generate([ask("a", "rev-0"), ask("b", None)])
    assert [r.token_ids for r in found] == [r.token_ids for r in expected]


def test_canaries_keep_to_the_seats_and_to_their_number(base: Base, shelf: Shelf) -> None:
    bench = Bench(base, shelf, per_batch=2, seats=3)
    bench.book.states |= {"rev-0": "ready", "rev-1": "ready"}
    bench.loaded("rev-2", "rev-3", "rev-4")
    bench.engine.generate([ask("a", "rev-0"), ask("b", "rev-1")])
    bench.engine.generate([ask("a", None)])
    assert bench.spy.batches == [["a", "b", "canary rev-2"], ["a", "canary rev-3", "canary rev-4"]]
    bench.engine.close()
    bench.tiers.close()


def test_a_failed_canary_keeps_the_gate_shut_and_says_why(bench: Bench) -> None:
    bench.spy.spoil = "canary rev-1"
    bench.loaded("rev-1", "rev-2")
    bench.engine.settle()
    assert (bench.states["rev-1"], bench.states["rev-2"]) == ("registered", "ready")
    assert ("rev-1", "registered", "its canary failed: a log-probability is not finite") in bench.book.reasons
    assert bench.engine.prewarming == ()


def test_an_adapter_that_cannot_be_read_goes_back_to_registered(bench: Bench, shelf: Shelf) -> None:
    bench.book.states["lost"] = "registered"
    bench.loaded("lost")
    assert bench.engine.generate([]) == []
    assert bench.states["lost"] == "registered"
    assert "it cannot be read" in bench.book.reasons[-1][2]


def test_settling_judges_everything_that_is_on_its_way(bench: Bench) -> None:
    for i in range(5):
        bench.engine.prewarm(f"rev-{i}")
    bench.engine.settle()
    assert [bench.states[f"rev-{i}"] for i in range(5)] == ["ready"] * 5


def test_a_full_queue_rejects_and_changes_nothing(base: Base, adapters: dict[str, Adapter]) -> None:
    import threading

    go = threading.Event()

    class Slow(Shelf):
        def open(self, revision: str) -> Adapter:
            assert go.wait(20)
            return super().open(revision)

    bench = Bench(base, Slow(adapters), queue=0)
    bench.engine.prewarm("rev-0")
    with pytest.raises(NotReadyError, match="no more may wait"):
        bench.engine.prewarm("rev-1")
    assert bench.states["rev-1"] == "registered"
    bench.engine.prewarm("rev-0")
    go.set()
    bench.engine.settle()
    bench.engine.prewarm("rev-1")
    bench.engine.settle()
    assert bench.states["rev-1"] == "ready"
    bench.engine.close()
    bench.tiers.close()


def test_what_a_dead_process_left_prewarming_can_be_prewarmed(bench: Bench) -> None:
    bench.book.states["rev-0"] = "prewarming"
    bench.engine.prewarm("rev-0")
    bench.engine.settle()
    assert bench.states["rev-0"] == "ready"


@pytest.mark.parametrize("state", ["ready", "served"])
def test_prewarming_what_another_engine_made_ready_changes_nothing(bench: Bench, state: State) -> None:
    bench.book.states["rev-0"] = state
    bench.engine.prewarm("rev-0")
    assert bench.engine.prewarming == ()
    assert bench.states["rev-0"] == state


def test_closing_puts_what_is_on_its_way_back(base: Base, shelf: Shelf) -> None:
    bench = Bench(base, shelf)
    bench.engine.prewarm("rev-0")
    bench.engine.close()
    bench.tiers.close()
    assert bench.states["rev-0"] == "registered"


def test_what_somebody_else_decided_in_between_holds(bench: Bench) -> None:
    bench.loaded("rev-0")
    assert bench.states["rev-0"] == "prewarming"
    bench.book.states["rev-0"] = "retired"
    assert bench.engine.generate([ask("a", None)])[0].error is None
    assert bench.states["rev-0"] == "retired"
    with pytest.raises(StateError, match="is retired, and prewarming cannot follow"):
        bench.engine.prewarm("rev-0")


def test_ids_of_canaries_are_reserved(bench: Bench) -> None:
    (result,) = bench.engine.generate([ask("canary rev-0", None)])
    assert result.error is not None
    assert result.error.kind == "bad_request"


@pytest.mark.parametrize("limits", [{"per_batch": 0}, {"seats": 0}])
def test_gates_need_room(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        Gates(CANARY, **limits)
