"""Policy records: admission, rollback, branches, retirement, tags; many processes at it are in test_crash.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from adapters.errors import (
    BaseMismatchError,
    CorruptAdapterError,
    RetiredError,
    StoreError,
    UnknownAdapterError,
)
from adapters.lora.adapter import Adapter
from adapters.lora.spec import LoraSpec
from adapters.store import AdaptersFor, AdapterStore, EntryFilter, Publication
from adapters.store.catalog.policies import EVENTS
from adapters.store.catalog.shape import shape_of
from adapters.store.handoff.transfer import ImportedBase
from tests.adapters.store.samples import FINGERPRINT, SPEC, adapter, manifest, publish, rewrite, same_tensors

BASE = ImportedBase("tiny-moe", FINGERPRINT)


def narrow(seed: int = 0) -> Adapter:
    """An adapter on one target only."""
    pairs = {path: pair for path, pair in adapter(seed).pairs.items() if path.endswith("q_proj")}
    return Adapter(replace(SPEC, targets=("q_proj",)), pairs)


def test_a_record_says_whose_it_is_what_it_fits_and_where_it_stands(store: AdapterStore) -> None:
    first = store.publish(adapter(0), manifest(), name="ada", person="Ada-17")
    head = publish(store, "ada", 1)
    record = store.policy("ada")
    assert (record.name, record.kind, record.person, record.head) == ("ada", "person", "Ada-17", head)
    assert (record.base_fingerprint, record.shape) == (FINGERPRINT, shape_of(adapter()))
    assert (record.sequence, record.parent, record.retired_at, record.state) == (2, None, None, "registered")
    assert record.created_at == store.log("ada")[-1].published_at
    assert [(e.event, e.revision) for e in store.log("ada")] == [("publish", head), ("publish", first)]
    publish(store, "pool", 2, kind="pooled")
    assert store.policy("pool").kind == "role"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_another_precision_is_admitted(store: AdapterStore, dtype: torch.dtype) -> None:
    publish(store, "ada", 0)
    store.publish(adapter(1, dtype=dtype), manifest(seed=1), name="ada")
    assert (
        store.row(store.resolve("ada")).shape.dtype == {torch.float32: "F32", torch.bfloat16: "BF16"}[dtype]
    )


@pytest.mark.parametrize(
    ("other", "changes", "message"),
    [
        (adapter(1), {"base_fingerprint": "0" * 64}, "base 000000000000 in place of abababababab"),
        (narrow(), {"spec": narrow().spec}, "targets q_proj in place of q_proj, v_proj"),
        (adapter(1, width=9), {}, "other layers"),
    ],
)
def test_a_record_holds_one_base_and_shape(
    store: AdapterStore, other: Adapter, changes: dict[str, object], message: str
) -> None:
    """What does not fit is refused before anything is written, and may have a name of its own."""
    head = publish(store, "ada")
    with pytest.raises(BaseMismatchError, match=rf"'ada'.*{message}.*another name"):
        store.publish(other, manifest(**changes), name="ada")
    with pytest.raises(BaseMismatchError, match=message):
        store.publish_many([(adapter(5), manifest(seed=5), "new"), (other, manifest(**changes), "new")])
    assert store.revisions() == [head]
    assert len(list(store.layout.revisions.glob("*/*"))) == 1
    store.publish(other, manifest(**changes), name="ada-2")
    assert store.heads().keys() == {"ada", "ada-2"}


def test_ranks_are_told_apart(store: AdapterStore) -> None:
    publish(store, "ada")
    spec = LoraSpec(rank=1, alpha=2.0, targets=SPEC.targets)
    pairs = {path: pair._replace(A=pair.A[:1], B=pair.B[:, :1]) for path, pair in adapter().pairs.items()}
    with pytest.raises(BaseMismatchError, match="rank 1 in place of 2"):
        store.publish(Adapter(spec, pairs), manifest(spec=spec), name="ada")


def test_a_name_that_fits_is_found_for_every_base_and_shape(store: AdapterStore) -> None:
    assert store.fitting_name("ada", FINGERPRINT, shape_of(adapter())) == "ada"
    publish(store, "ada")
    assert store.fitting_name("ada", FINGERPRINT, shape_of(adapter(3))) == "ada"
    names = {
        store.fitting_name("ada", b, shape_of(a))
        for b in ("0" * 64, FINGERPRINT)
        for a in (adapter(), narrow())
    }
    assert len(names) == 4
    assert all(name == "ada" or name.startswith("ada.") for name in names)


def test_a_record_of_one_person_takes_nobody_elses(store: AdapterStore) -> None:
    publish(store, "x", 0)
    store.publish(adapter(1), manifest(seed=1), name="x", person="Ada-17")
    with pytest.raises(StoreError, match="is the record of 'Ada-17', not of 'Ben'"):
        store.publish(adapter(2), manifest(seed=2), name="x", person="Ben")
    with pytest.raises(StoreError, match="one line"):
        store.publish(adapter(2), manifest(seed=2), name="y", person="two\nlines")
    assert [e.name for e in store.list(EntryFilter(person="Ada-17"))] == ["x"]


def test_rollback_steps_back_and_the_history_keeps_everything(store: AdapterStore) -> None:
    a, b, c = (publish(store, "ada", seed) for seed in range(3))
    assert [store.rollback("ada"), store.rollback("ada")] == [b, a]
    with pytest.raises(StoreError, match="none to go back to"):
        store.rollback("ada")
    assert store.rollback("ada", c[:6]) == c
    with pytest.raises(StoreError, match="already"):
        store.rollback("ada", c)
    assert [(e.sequence, e.event, e.revision) for e in store.log("ada")] == [
        (6, "rollback", c),
        (5, "rollback", a),
        (4, "rollback", b),
        (3, "publish", c),
        (2, "publish", b),
        (1, "publish", a),
    ]
    assert store.resolve("ada") == c


def test_rollback_goes_only_where_the_record_has_been_and_what_is_whole(store: AdapterStore) -> None:
    a, _ = publish(store, "ada", 0), publish(store, "ada", 1)
    other = publish(store, "ben", 2)
    with pytest.raises(
        UnknownAdapterError, match=rf"no revision in the history of 'ada', whose last are {a[:12]}"
    ):
        store.rollback("ada", other)
    with pytest.raises(UnknownAdapterError, match="no such name"):
        store.rollback("zoe")
    rewrite(store.path(a) / "adapter_config.json", b"{}")
    with pytest.raises(CorruptAdapterError, match="stays where it is"):
        store.rollback("ada")
    assert store.policy("ada").sequence == 2


def test_a_branch_is_a_record_of_its_own_that_knows_where_it_comes_from(store: AdapterStore) -> None:
    first = store.publish(adapter(0), manifest(), name="ada", person="Ada-17")
    second = publish(store, "ada", 1)
    calm = store.branch(f"ada@{first[:8]}", "ada-calm")
    assert (calm.head, calm.parent, calm.parent_revision, calm.person) == (first, "ada", first, "Ada-17")
    assert [e.event for e in store.log("ada-calm")] == ["branch"]
    third = publish(store, "ada-calm", 2)
    assert store.heads() == {"ada": second, "ada-calm": third}
    by_id = store.branch(second, "twin", person="Ben")
    assert (by_id.parent, by_id.person) == ("ada", "Ben")
    for taken in ("ada", "twin"):
        with pytest.raises(StoreError, match="is a record"):
            store.branch("ada", taken)
    store.tag("paper", first)
    with pytest.raises(StoreError, match="is a tag"):
        store.branch("ada", "paper")
    assert {e.event for name in store.heads() for e in store.log(name)} <= set(EVENTS)


def test_a_retired_record_is_out_of_sight_and_out_of_service_but_not_lost(store: AdapterStore) -> None:
    revision, other = publish(store, "ada", 0), publish(store, "ben", 1)
    engine_side = AdaptersFor(BASE, store)
    assert same_tensors(engine_side.open(revision), adapter(0))
    store.retire("ada", "left the study")
    assert store.heads() == {"ben": other}
    assert [e.name for e in store.list(EntryFilter(retired=True))] == ["ada", "ben"]
    with pytest.raises(RetiredError, match=rf"is retired since.*{revision}.*retire --undo ada"):
        store.resolve("ada")
    for ref in (revision, revision[:8], f"ada@{revision[:4]}"):
        assert store.resolve(ref) == revision
    assert same_tensors(store.open(revision), adapter(0))
    with pytest.raises(RetiredError, match="nothing may serve it"):
        engine_side.open(revision)
    for change in (
        lambda: publish(store, "ada", 2),
        lambda: publish(store, "new", 0),
        lambda: store.rollback("ada"),
        lambda: store.branch(revision, "twin"),
        lambda: store.retire("ada"),
    ):
        with pytest.raises(RetiredError):
            change()
    store.unretire("ada")
    assert store.resolve("ada") == revision
    assert same_tensors(engine_side.open(revision), adapter(0))
    assert [(t.target, t.reason, t.record) for t in store.states.log(revision)] == [
        ("retired", "left the study", "ada"),
        ("registered", "taken back by hand", "ada"),
    ]
    with pytest.raises(StoreError, match="not retired"):
        store.unretire("ada")


def test_a_revision_that_another_record_uses_stays_in_service(store: AdapterStore) -> None:
    shared = publish(store, "ada", 0)
    own = publish(store, "ada", 1)
    store.branch(shared, "twin")
    store.retire("ada")
    assert (store.states.of(shared), store.states.of(own)) == ("registered", "retired")
    store.retire("twin")
    assert store.states.of(shared) == "retired"
    store.unretire("ada")
    assert (store.states.of(shared), store.states.of(own)) == ("registered", "registered")


def test_one_bad_revision_is_retired_by_itself_once_nothing_stands_for_it(store: AdapterStore) -> None:
    good, bad = publish(store, "ada", 0), publish(store, "ada", 1)
    with pytest.raises(StoreError, match="'ada' stands for it"):
        store.retire(bad)
    store.rollback("ada")
    store.retire(bad[:10], "talks nonsense")
    with pytest.raises(RetiredError):
        store.rollback("ada", bad)
    store.retire("ada")
    store.unretire("ada")
    assert (store.states.of(good), store.states.of(bad)) == ("registered", "retired")
    store.unretire(bad)
    assert store.rollback("ada", bad) == bad


def test_tags_come_and_go(store: AdapterStore) -> None:
    revision = publish(store, "ada")
    store.tag("paper", revision)
    store.tag("draft", revision)
    assert store.tags(revision) == ["draft", "paper"]
    assert store.untag("draft") == revision
    assert store.tags(revision) == ["paper"]
    with pytest.raises(UnknownAdapterError, match="Did you mean paper"):
        store.untag("papr")


def test_a_store_can_be_copied_to_other_processes(store: AdapterStore) -> None:
    import pickle

    revision = publish(store, "ada")
    copy = pickle.loads(pickle.dumps(store.catalog))
    with copy.reading() as db:
        assert db.execute("SELECT revision FROM revisions").fetchall() == [(revision,)]


class Records(RuleBasedStateMachine):
    """A store beside a model of it in plain lists: whatever is done, names stand for what they should."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.store = AdapterStore(Path(self.folder.name) / "store")
        self.past: dict[str, list[str]] = {}
        self.retired: set[str] = set()
        self.store.publish_many([Publication(adapter(9), manifest(seed=9), "seed")])
        self.past["seed"] = [self.store.resolve("seed")]

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(name=st.sampled_from("ab"), seed=st.integers(0, 3))
    def publish(self, name: str, seed: int) -> None:
        try:
            revision = publish(self.store, name, seed)
        except RetiredError:
            assert self.retired
            return
        past = self.past.setdefault(name, [])
        if past[-1:] != [revision]:
            past.append(revision)

    @rule(name=st.sampled_from("ab"))
    def rollback(self, name: str) -> None:
        past = self.past.get(name, [])
        order = list(dict.fromkeys(past))
        try:
            revision = self.store.rollback(name)
        except (RetiredError, UnknownAdapterError, StoreError):
            assert name in self.retired or not past or order.index(past[-1]) == 0
            return
        assert revision == order[order.index(past[-1]) - 1]
        past.append(revision)

    @rule(source=st.sampled_from("ab"), name=st.sampled_from("abc"))
    def branch(self, source: str, name: str) -> None:
        try:
            record = self.store.branch(source, name)
        except (RetiredError, UnknownAdapterError, StoreError):
            assert source in self.retired or source not in self.past or name in self.past
            return
        assert record.parent == source
        self.past[name] = [self.past[source][-1]]

    @rule(name=st.sampled_from("abc"))
    def retire_or_take_back(self, name: str) -> None:
        if name not in self.past:
            return
        if name in self.retired:
            self.store.unretire(name)
            self.retired.remove(name)
        else:
            self.store.retire(name)
            self.retired.add(name)

    @invariant()
    def names_stand_for_the_last_of_their_past(self) -> None:
        live = {name: past[-1] for name, past in self.past.items() if name not in self.retired}
        assert self.store.heads() == live
        for name, past in self.past.items():
            assert [e.revision for e in reversed(self.store.log(name))] == past
        in_use = {revision for name in live for revision in self.past[name]}
        for revision in self.store.revisions():
            assert (self.store.states.of(revision) == "retired") == (revision not in in_use)


Records.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestRecords = Records.TestCase
