from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from adapters.errors import StoreError
from adapters.store import AdapterStore
from adapters.store.catalog.condemned import condemn
from adapters.store.packs.packing import pack_in_place
from adapters.store.sessions.sessions import open_session
from adapters.store.sessions.state import SessionState
from adapters.store.upkeep import fsck
from adapters.store.upkeep.fsck.finding import CODES, NOTES
from tests.adapters.store.samples import adapter, publish, rewrite, same_tensors


@pytest.fixture
def store(store: AdapterStore) -> AdapterStore:
    """`ada` with two revisions and a saved training, `ben`, and `cy` and `di` in a packed file."""
    publish(store, "ada", 0)
    publish(store, "ada", 1)
    publish(store, "ben", 2)
    pack_in_place(store, [publish(store, "cy", 3), publish(store, "di", 4)])
    with store.catalog.writing() as db:
        db.execute("DELETE FROM condemned")
    for name in ("cy", "di"):
        shutil.rmtree(store.layout.folder(store.resolve(name)))
    with open_session(store, "ada") as session:
        session.save(SessionState({"step": 1}, {"mean": torch.zeros(2)}))
    return store


def execute(store: AdapterStore, *statements: str) -> None:
    """Change the catalog as no operation of the store would."""
    with store.catalog.writing() as db:
        db.execute("COMMIT")
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("BEGIN IMMEDIATE")
        for statement in statements:
            db.execute(statement)
        db.execute("COMMIT")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("BEGIN IMMEDIATE")


def only_pack(store: AdapterStore) -> Path:
    return next(store.layout.packs.iterdir())


def orphan(store: AdapterStore) -> Path:
    """A whole revision without a row, as its writer left it that died before the commit."""
    elsewhere = AdapterStore(store.root.with_name("elsewhere"))
    revision = publish(elsewhere, "eve", 9)
    return shutil.copytree(elsewhere.path(revision), store.layout.folder(revision))


def broken_orphan(store: AdapterStore) -> None:
    (orphan(store) / "manifest.json").unlink()


def leave_in_staging(store: AdapterStore) -> None:
    (store.layout.staging / "dead").mkdir()
    (store.layout.staging / "dead" / "half").touch()


def double(store: AdapterStore) -> None:
    shutil.copytree(store.layout.folder(store.resolve("ben")), store.layout.folder(store.resolve("cy")))


def superfluous_pack(store: AdapterStore) -> None:
    file = only_pack(store)
    execute(store, "UPDATE packs SET file = 'packs/other.safetensors'")
    shutil.copy(file, store.layout.packs / "other.safetensors")


def leave_dead_lease(store: AdapterStore) -> None:
    text = '{"pid": 1, "host": "here", "since": "2026-01-01T00:00:00"}'
    (store.layout.sessions / "ada" / "lock").write_text(text)


def break_session(store: AdapterStore) -> None:
    file = next((store.layout.sessions / "ada").glob("*.safetensors"))
    rewrite(file, file.read_bytes()[:-1])


def session_never_begun(store: AdapterStore) -> None:
    (store.layout.sessions / "ben").mkdir()
    (store.layout.sessions / "ben" / "lock").touch()


def lose_condemned(store: AdapterStore) -> None:
    with store.catalog.writing() as db:
        condemn(db, Path("revisions/ab/gone"), "2026-01-01")


def forget_unnamed(store: AdapterStore) -> None:
    """An unnamed revision without its files."""
    revision = publish(store, "temporary", 9)
    execute(
        store,
        "DELETE FROM history WHERE record = (SELECT id FROM records WHERE name = 'temporary')",
        "DELETE FROM records WHERE name = 'temporary'",
    )
    shutil.rmtree(store.layout.folder(revision))


class Harm(NamedTuple):
    """Something that goes wrong, and the codes by which a check must name it."""

    do: Callable[[AdapterStore], object]
    codes: set[str]


MENDABLE = {
    "leftover": Harm(leave_in_staging, {"leftover"}),
    "orphan": Harm(orphan, {"orphan-folder"}),
    "broken orphan": Harm(broken_orphan, {"damaged-revision"}),
    "double folder": Harm(double, {"double-folder"}),
    "superfluous pack": Harm(superfluous_pack, {"orphan-pack"}),
    "half a pack": Harm(
        lambda s: (s.layout.packs / f"{'ab' * 32}.safetensors").write_bytes(b"x"), {"orphan-pack"}
    ),
    "stranger in packs": Harm(lambda s: (s.layout.packs / "note.txt").touch(), {"stranger"}),
    "stranger in revisions": Harm(lambda s: (s.layout.revisions / "note.txt").touch(), {"stranger"}),
    "stranger in a shard": Harm(
        lambda s: (s.layout.folder(s.resolve("ben")).parent / "x").mkdir(), {"stranger"}
    ),
    "stranger in sessions": Harm(lambda s: (s.layout.sessions / "x").touch(), {"stranger"}),
    "stranger in a session": Harm(lambda s: (s.layout.sessions / "ada" / "x").touch(), {"stranger"}),
    "lost condemned": Harm(lose_condemned, {"condemned-gone"}),
    "older state": Harm(
        lambda s: (s.layout.sessions / "ada" / "0-1.safetensors").touch(), {"session-leftover"}
    ),
    "session never begun": Harm(session_never_begun, {"session-leftover"}),
    "dead lease": Harm(leave_dead_lease, {"stale-lease"}),
    "broken session": Harm(break_session, {"session-damaged"}),
    "lost unnamed": Harm(forget_unnamed, {"missing-files"}),
    "unknown state": Harm(
        lambda s: execute(s, "UPDATE revisions SET state = 'flying'"), {"impossible-state"}
    ),
    "state without log": Harm(
        lambda s: execute(s, "UPDATE revisions SET state = 'served'"), {"impossible-state"}
    ),
    "log of no revision": Harm(
        lambda s: execute(
            s, "INSERT INTO transitions (revision, source, target, reason, at) VALUES (99, 'a', 'b', '', '')"
        ),
        {"dangling-reference"},
    ),
    "tag of no revision": Harm(
        lambda s: execute(s, "INSERT INTO tags VALUES ('paper', 99, '2026')"), {"dangling-reference"}
    ),
    "history of no revision": Harm(
        lambda s: execute(s, "UPDATE history SET revision = 99 WHERE sequence = 1 AND record = 1"),
        {"dangling-reference"},
    ),
}


@pytest.mark.parametrize("harm", MENDABLE)
def test_one_repair_mends_it_and_no_name_changes_its_meaning(store: AdapterStore, harm: str) -> None:
    heads = store.heads()
    MENDABLE[harm].do(store)
    before = fsck.check(store)
    assert {finding.code for finding in before.problems} == MENDABLE[harm].codes
    assert not before.mended
    report = fsck.repair(store)
    assert {finding.code for finding in report.mended} == MENDABLE[harm].codes
    assert report.problems == ()
    assert fsck.check(store).problems == ()
    assert store.heads() == heads
    for revision in heads.values():
        store.verify(revision)


def damage(store: AdapterStore) -> None:
    rewrite(store.path(store.resolve("ben")) / "adapter_config.json", b"{}")


def damage_pack(store: AdapterStore) -> None:
    content = bytearray(only_pack(store).read_bytes())
    content[-1] ^= 1
    rewrite(only_pack(store), bytes(content))


REMAINING = {
    "damaged": Harm(damage, {"missing-files"}),
    "lost": Harm(lambda s: shutil.rmtree(s.path(s.resolve("ben"))), {"missing-files"}),
    "pack lost": Harm(lambda s: only_pack(s).unlink(), {"damaged-pack", "damaged-revision"}),
    "pack truncated": Harm(
        lambda s: rewrite(only_pack(s), only_pack(s).read_bytes()[:-9]), {"damaged-pack", "damaged-revision"}
    ),
    "pack altered": Harm(damage_pack, {"damaged-revision"}),
    "head of no revision": Harm(
        lambda s: execute(s, "UPDATE records SET head = 99 WHERE name = 'ben'"),
        {"dangling-reference", "head-not-newest"},
    ),
    "head beside its history": Harm(
        lambda s: execute(s, "UPDATE records SET head = 1 WHERE name = 'ben'"), {"head-not-newest"}
    ),
}


@pytest.mark.parametrize("harm", REMAINING)
def test_what_only_a_person_can_decide_stays_a_problem_with_a_cure(store: AdapterStore, harm: str) -> None:
    REMAINING[harm].do(store)
    assert fsck.check(store).problems
    report = fsck.repair(store)
    assert {finding.code for finding in report.problems} == REMAINING[harm].codes
    for finding in report.problems:
        assert finding.cure
        assert finding.mend is None


def test_a_damaged_adapter_is_put_aside_and_importing_it_again_mends_the_store(store: AdapterStore) -> None:
    revision = store.resolve("ben")
    damage(store)
    report = fsck.repair(store)
    assert [finding.code for finding in report.mended] == ["damaged-revision"]
    assert "ben" in report.problems[0].problem
    assert "rollback" in report.problems[0].cure
    assert (store.layout.quarantine / revision / "adapter_config.json").read_bytes() == b"{}"
    assert publish(store, "ben", 2) == revision
    after = fsck.check(store)
    assert after.problems == ()
    assert [note.code for note in after.notes] == ["quarantine"]


def test_things_put_aside_twice_do_not_meet(store: AdapterStore) -> None:
    for _ in range(2):
        damage(store)
        fsck.repair(store)
        publish(store, "ben", 2)
    revision = store.resolve("ben")
    names = {path.name for path in store.layout.quarantine.iterdir()}
    assert names == {revision, f"{revision}.1"}


def test_an_adopted_orphan_can_be_used(store: AdapterStore) -> None:
    revision = orphan(store).name
    fsck.repair(store)
    assert same_tensors(store.open(store.resolve(revision[:8])), adapter(9))


def test_a_folder_takes_the_place_of_a_damaged_pack(store: AdapterStore) -> None:
    revision = store.resolve("cy")
    elsewhere = AdapterStore(store.root.with_name("elsewhere"))
    publish(elsewhere, "cy", 3)
    shutil.copytree(elsewhere.path(revision), store.layout.folder(revision))
    only_pack(store).unlink()
    report = fsck.repair(store)
    assert [finding.code for finding in report.mended] == ["double-folder"]
    assert {finding.code for finding in report.problems} == {"damaged-pack", "damaged-revision"}
    assert same_tensors(store.open(revision), adapter(3))


def test_what_a_living_writer_holds_is_left_alone(store: AdapterStore) -> None:
    with open_session(store, "ada"):
        (store.layout.sessions / "ada" / "9-9.safetensors").touch()
        assert fsck.repair(store).mended == ()
    with store.writing() as batch:
        impatient = AdapterStore(store.root, wait=0)
        with pytest.raises(StoreError, match="try again"):
            fsck.check(impatient)
        assert batch.exists()


def test_ancestors_elsewhere_are_told_and_no_problem(store: AdapterStore) -> None:
    publish(store, "eve", 5, parent="ab" * 32)
    report = fsck.check(store)
    assert report.problems == ()
    assert [note.code for note in report.notes] == ["dangling-parent"]


def test_there_must_be_a_store(tmp_path: Path) -> None:
    for examine in (fsck.check, fsck.repair):
        with pytest.raises(StoreError, match="no adapter store there"):
            examine(AdapterStore(tmp_path))
    assert not any(tmp_path.iterdir())


def test_a_damaged_catalog_is_named_with_its_cure(store: AdapterStore) -> None:
    """An index that the schema forgot leaves pages that nothing uses."""
    execute(
        store,
        "PRAGMA writable_schema = ON",
        "DELETE FROM sqlite_schema WHERE name = 'tags_by_revision'",
        "PRAGMA writable_schema = OFF",
    )
    for examine in (fsck.check, fsck.repair):
        problems = examine(AdapterStore(store.root)).problems
        assert {finding.code for finding in problems} == {"catalog-damaged"}
        assert "backup" in problems[0].cure


def test_a_catalog_that_is_no_catalog_is_refused(store: AdapterStore) -> None:
    store.layout.catalog.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(StoreError, match="restore it from a backup"):
        fsck.check(AdapterStore(store.root))


def test_progress_counts_revisions(store: AdapterStore) -> None:
    seen: list[tuple[int, int]] = []
    report = fsck.check(store, on_progress=lambda done, of: seen.append((done, of)))
    assert seen == [(done, report.checked) for done in range(1, report.checked + 1)]
    assert report.checked == 5


def test_every_code_is_documented_and_met_by_a_test() -> None:
    page = (Path(__file__).parents[5] / "docs" / "upkeep.md").read_text()
    met = {code for harm in (MENDABLE | REMAINING).values() for code in harm.codes}
    assert met | NOTES | {"catalog-damaged"} == set(CODES)  # which has a test of its own
    for code in CODES:
        assert f"`{code}`" in page
