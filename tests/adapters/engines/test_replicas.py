"""Replicas: every adapter has its own, parts run at once, and one that is lost is made up for."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.protocol import Engine, GenerateRequest, GenerateResult, Sampling, ScoreRequest
from adapters.engines.replicas import ReplicatedEngine, assign
from adapters.engines.scripted import ScriptedEngine
from adapters.errors import AdapterError, ServerLostError, StoreError

adapters_of = st.lists(st.one_of(st.none(), st.integers(0, 20).map(str)), max_size=80)
replicas_of = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=5, unique=True)


class Replica:
    """A scripted engine that keeps what it was asked, and fails on demand."""

    def __init__(self, name: str, fails: Exception | None = None) -> None:
        self.name, self.fails = name, fails
        self.asked: list[GenerateRequest] = []
        self.closed = 0
        self._inner = ScriptedEngine(lambda request: f"{request.adapter} says {request.request_id}")

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        self.asked += requests
        if self.fails is not None:
            raise self.fails
        return self._inner.generate(requests)

    def score(self, requests: Sequence[ScoreRequest]) -> list:
        return self._inner.score(requests)

    def close(self) -> None:
        self.closed += 1


def ask(*adapters: str | None) -> list[GenerateRequest]:
    return [GenerateRequest(f"r{i}", (1, 2), name, Sampling(60)) for i, name in enumerate(adapters)]


@given(adapters_of, replicas_of, st.sampled_from([0.0, 0.25, 1.0]))
def test_no_replica_has_more_than_its_bound(adapters, replicas, slack) -> None:
    chosen = assign(adapters, replicas, slack)
    assert len(chosen) == len(adapters)
    assert set(chosen) <= set(replicas)
    most = math.ceil((1 + slack) * len(adapters) / len(replicas))
    assert all(count <= most for count in Counter(chosen).values())
    assert chosen == assign(adapters, replicas, slack)


@given(st.lists(st.integers(0, 50).map(str), max_size=60), replicas_of)
def test_without_a_bound_an_adapter_has_one_replica_and_leaving_moves_only_what_was_there(
    adapters, replicas
) -> None:
    chosen = assign(adapters, replicas, 1e9)
    assert len(set(zip(adapters, chosen, strict=True))) == len(set(adapters))
    if len(replicas) > 1:
        gone = replicas[0]
        after = assign(adapters, replicas[1:], 1e9)
        assert all(then == now for now, then in zip(chosen, after, strict=True) if now != gone)


def test_adapters_spread_over_replicas_about_evenly() -> None:
    """Binomial(400, 1/4): mean 100, standard deviation 8.7; five of them are 43."""
    counts = Counter(assign([f"user-{i}" for i in range(400)], ["a", "b", "c", "d"], 1e9))
    assert all(57 <= count <= 143 for count in counts.values())


def test_requests_to_the_base_fill_up_who_has_least() -> None:
    chosen = assign([None, "x", "x", "x", None, None, None, None], ["a", "b"], 1.0)
    assert set(Counter(chosen).values()) == {4}


def test_parts_run_at_the_same_time() -> None:
    """Each replica waits for the other: one after the other they would wait for ever."""
    both = threading.Barrier(2, timeout=10)

    class Waiting(Replica):
        def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
            both.wait()
            return super().generate(requests)

    engine = ReplicatedEngine({"a": Waiting("a"), "b": Waiting("b")}, slack=0)
    requests = ask("x", "y", "z", None)
    assert [result.text for result in engine.generate(requests)] == [
        f"{request.adapter} says {request.request_id}" for request in requests
    ]
    engine.close()


def test_what_a_lost_replica_had_is_answered_by_the_others_and_nothing_of_it_counts() -> None:
    good, bad = Replica("good"), Replica("bad", ServerLostError("gone"))
    engine = ReplicatedEngine({"good": good, "bad": bad})
    requests = ask(*(f"user-{i}" for i in range(12)))
    results = engine.generate(requests)
    assert [result.text for result in results] == [f"{r.adapter} says {r.request_id}" for r in requests]
    assert bad.asked
    assert Counter(r.request_id for r in good.asked) == Counter(r.request_id for r in requests)
    assert engine.lost == {"bad": "gone"}
    before = len(bad.asked)
    engine.generate(requests)
    assert len(bad.asked) == before
    engine.close()


def test_when_no_replica_is_left_the_error_says_so() -> None:
    engine = ReplicatedEngine({name: Replica(name, ServerLostError(f"{name} gone")) for name in "ab"})
    for _ in range(2):
        with pytest.raises(ServerLostError, match=r"no replica is left of a, b .*a gone.*b gone"):
            engine.generate(ask("x", "y", "z"))
    engine.close()


def test_other_errors_are_raised_and_the_replica_stays() -> None:
    replica = Replica("a", StoreError("disk full"))
    engine = ReplicatedEngine({"a": replica})
    with pytest.raises(StoreError, match="disk full"):
        engine.generate(ask("x"))
    replica.fails = None
    assert engine.generate(ask("x"))[0].error is None
    assert engine.lost == {}
    engine.close()


def test_closing_closes_every_replica_even_when_one_fails() -> None:
    class Stuck(Replica):
        def close(self) -> None:
            super().close()
            raise AdapterError("stuck")

    replicas: dict[str, Replica] = {"a": Replica("a"), "b": Stuck("b"), "c": Replica("c")}
    engine = ReplicatedEngine(dict[str, Engine](replicas))
    with pytest.raises(AdapterError, match="stuck"):
        engine.close()
    assert [replica.closed for replica in replicas.values()] == [1, 1, 1]


def test_closing_does_not_wait_for_what_a_replica_is_still_asked() -> None:
    """As after Ctrl-C: the caller is gone, the parts of its batch are still with the servers."""
    asked, ended = threading.Event(), threading.Event()

    class Slow(Replica):
        def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
            asked.set()
            assert ended.wait(timeout=10)
            raise AdapterError("closed")

        def close(self) -> None:
            ended.set()

    engine = ReplicatedEngine({"a": Slow("a")})
    errors: list[AdapterError] = []

    def call() -> None:
        try:
            engine.generate(ask("x"))
        except AdapterError as error:
            errors.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    assert asked.wait(timeout=10)
    engine.close()
    caller.join(timeout=10)
    assert [str(error) for error in errors] == ["closed"]


@pytest.mark.parametrize(
    ("replicas", "slack", "what"), [({}, 0.0, "replicas"), ({"a": Replica("a")}, -1.0, "slack")]
)
def test_impossible_settings_are_refused(replicas: dict[str, Engine], slack: float, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        ReplicatedEngine(replicas, slack=slack)
