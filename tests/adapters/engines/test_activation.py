"""Both phases with a real store, tiers and engine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

from adapters.bases.loader import Base
from adapters.engines.activation import activate, make_ready
from adapters.engines.canary import Canary
from adapters.engines.gated import GatedEngine, Gates
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest
from adapters.errors import NotReadyError, UnknownAdapterError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.store import AdaptersFor, AdapterStore, Manifest
from adapters.store.tiers.reader import TieredAdapters


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    return AdapterStore(tmp_path / "store")


@pytest.fixture
def engine(base: Base, store: AdapterStore) -> Iterator[GatedEngine]:
    tiers = TieredAdapters(AdaptersFor(base, store), warm_bytes=1 << 20, queue=1)
    engine = GatedEngine(LocalEngine(base, tiers, max_slots=2), tiers, store.states, Gates(Canary((1, 2))))
    yield engine
    engine.close()
    tiers.close()


def publish(store: AdapterStore, base: Base, name: str, made: Adapter, seed: int = 0) -> str:
    return store.publish(made, Manifest(base.name, base.fingerprint, made.spec, {}, "", seed), name=name)


def blown(made: Adapter) -> Adapter:
    """Finite, so it can be published, and too large for what the model computes with it."""
    path, pair = next((path, pair) for path, pair in made.pairs.items() if path.endswith("o_proj"))
    return Adapter(made.spec, {**made.pairs, path: LoraPair(*(torch.full_like(f, 1e30) for f in pair))})


def test_more_revisions_than_the_queue_holds_are_all_activated(
    base: Base, adapters: dict[str, Adapter], store: AdapterStore, engine: GatedEngine
) -> None:
    revisions = {
        f"user-{i}": publish(store, base, f"user-{i}", adapters[f"rev-{i % 6}"], i) for i in range(7)
    }
    judged: list[int] = []
    outcomes = activate(engine, store, revisions, judged.append)
    assert [(o.name, o.revision, o.objection) for o in outcomes] == [
        (n, r, None) for n, r in revisions.items()
    ]
    assert {store.serving.revision(name) for name in revisions} == set(revisions.values())
    assert judged == sorted(judged)
    assert judged[-1] == 7
    results = engine.generate([GenerateRequest(n, (4, 5), r) for n, r in revisions.items()])
    assert [r.error for r in results] == [None] * 7


def test_a_broken_revision_never_replaces_the_one_that_serves(
    base: Base, adapters: dict[str, Adapter], store: AdapterStore, engine: GatedEngine
) -> None:
    good = publish(store, base, "ada", adapters["rev-0"])
    activate(engine, store, {"ada": good})
    broken = publish(store, base, "ada", blown(adapters["rev-1"]))
    (outcome,) = activate(engine, store, {"ada": broken})
    assert outcome.objection is not None
    assert "its canary failed" in outcome.objection
    assert store.serving.revision("ada") == good
    assert store.states.of(broken) == "registered"


def test_phase_one_alone_leaves_what_serves(
    base: Base, adapters: dict[str, Adapter], store: AdapterStore, engine: GatedEngine
) -> None:
    good = publish(store, base, "ada", adapters["rev-0"])
    activate(engine, store, {"ada": good})
    better = publish(store, base, "ada", adapters["rev-2"])
    assert make_ready(engine, store, {"ada": better}) == {"ada": None}
    assert store.serving.revision("ada") == good
    assert store.states.of(better) == "ready"


def test_an_adapter_of_another_base_fails_its_gate(
    base: Base, adapters: dict[str, Adapter], store: AdapterStore, engine: GatedEngine
) -> None:
    made = adapters["rev-0"]
    manifest = Manifest("other", "ef" * 32, made.spec, {}, "", 0)
    foreign = store.publish(made, manifest, name="foreign")
    ours = publish(store, base, "ours", adapters["rev-1"])
    objections = make_ready(engine, store, {"foreign": foreign, "ours": ours})
    assert objections["ours"] is None
    assert "cannot be read: the adapter was made for base 'other'" in str(objections["foreign"])


def test_two_engines_that_activate_the_same_revision_both_succeed(
    base: Base, adapters: dict[str, Adapter], store: AdapterStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second looks at the states before the first has judged the revision."""
    first, second = (publish(store, base, f"user-{i}", adapters[f"rev-{i}"], i) for i in range(2))

    def meanwhile(_: int) -> None:
        if store.states.of(second) == "registered":
            store.states.advance(second, "prewarming", "another engine")
            store.states.advance(second, "ready", "another engine")

    tiers = TieredAdapters(AdaptersFor(base, store), warm_bytes=1 << 20)
    prefetch = tiers.prefetch

    def has_room_for_the_first_only(revision: str) -> Future[Adapter]:
        if revision == second:
            raise NotReadyError("full", retry_after=0.01)
        return prefetch(revision)

    monkeypatch.setattr(tiers, "prefetch", has_room_for_the_first_only)
    waiting = GatedEngine(LocalEngine(base, tiers), tiers, store.states, Gates(Canary((1, 2))))
    outcomes = activate(waiting, store, {"user-0": first, "user-1": second}, meanwhile)
    waiting.close()
    tiers.close()
    assert [outcome.objection for outcome in outcomes] == [None, None]
    assert [t.reason for t in store.states.log(second)] == ["another engine", "another engine", "activated"]


def test_a_revision_moved_on_between_the_phases_spares_the_others(
    base: Base, adapters: dict[str, Adapter], store: AdapterStore, engine: GatedEngine
) -> None:
    first, second = (publish(store, base, f"user-{i}", adapters[f"rev-{i}"], i) for i in range(2))
    make_ready(engine, store, {"user-0": first, "user-1": second})
    store.states.advance(first, "evicted", "no memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapters.engines.activation.make_ready", lambda *_: {"user-0": None, "user-1": None})
        broken, good = activate(engine, store, {"user-0": first, "user-1": second})
    assert "is evicted, and only a revision that is ready" in str(broken.objection)
    assert good.objection is None
    assert store.serving.revision("user-1") == second


def test_an_unknown_revision_is_named(
    store: AdapterStore, engine: GatedEngine, base: Base, adapters: dict[str, Adapter]
) -> None:
    publish(store, base, "ada", adapters["rev-0"])
    with pytest.raises(UnknownAdapterError, match="no revision of this store"):
        activate(engine, store, {"ada": "0" * 64})
