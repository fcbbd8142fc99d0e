"""The operations of a store that test_faults.py breaks off, each with the store that it begins with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import torch

from adapters.store import AdapterStore
from adapters.store.catalog.evidence import Evidence
from adapters.store.handoff.archive import export_archive, import_archive
from adapters.store.packs.packing import pack_in_place, unpack_in_place
from adapters.store.sessions.sessions import open_session
from adapters.store.sessions.state import SessionState
from adapters.store.upkeep import fsck
from adapters.store.upkeep.collection import collect
from adapters.store.upkeep.retention import Retention
from tests.adapters.store.samples import adapter, manifest, publish

ARCHIVE = "guests.plures"


class Operation(NamedTuple):
    """One operation, the store that it begins with, and whether that is damaged, for the operation to mend."""

    prepare: Callable[[AdapterStore], object]
    act: Callable[[AdapterStore], object]
    on_damage: bool = False


def two_names(store: AdapterStore) -> None:
    """`ada` at her second revision, the first tagged, and `ben`."""
    first = publish(store, "ada", 0)
    publish(store, "ada", 1)
    publish(store, "ben", 2)
    store.tag("paper", first)


def publish_two(store: AdapterStore) -> None:
    store.publish_many([(adapter(seed), manifest(seed=seed), "ada") for seed in (3, 4)])


def packed(store: AdapterStore) -> None:
    """All in one packed file; the folders are gone."""
    two_names(store)
    pack_in_place(store, store.revisions())
    collect(store, grace=timedelta(0), apply=True)


def ready(store: AdapterStore) -> None:
    two_names(store)
    for state in ("prewarming", "ready"):
        store.states.advance(store.resolve("ben"), state, "a test")


def with_archive(store: AdapterStore) -> None:
    """And beside it the archive of another store, with two records and a tag."""
    two_names(store)
    elsewhere = AdapterStore(store.root.with_name("elsewhere"))
    for number, name in enumerate(("di", "eve")):
        publish(elsewhere, name, 20 + number)
    elsewhere.tag("guest", elsewhere.resolve("di"))
    export_archive(elsewhere, elsewhere.revisions(), store.root.parent / ARCHIVE)


def damaged(store: AdapterStore) -> None:
    publish(store, "ben", 2)
    (store.layout.folder(store.resolve("ben")) / "manifest.json").unlink()


def damaged_guests(store: AdapterStore) -> None:
    """What came with the archive has lost a file."""
    with_archive(store)
    import_archive(store, store.root.parent / ARCHIVE)
    (store.layout.folder(store.resolve("di")) / "manifest.json").unlink()


def some_garbage(store: AdapterStore) -> None:
    """History to forget, a file that is due, and a retired name."""
    two_names(store)
    publish(store, "cy", 5)
    publish(store, "cy", 6)
    collect(store, Retention(history=1), apply=True, now=datetime.now(UTC) - timedelta(days=3))
    publish(store, "cy", 7)
    publish(store, "ben", 8)


def wreck(store: AdapterStore) -> None:
    """One of everything that `fsck --repair` mends."""
    two_names(store)
    save(store, 1)
    (store.layout.sessions / "ada" / "0-0.safetensors").touch()
    (store.layout.sessions / "ada" / "lock").write_text('{"pid": 1, "host": "h", "since": "2026-01-01"}')
    (store.layout.staging / "dead").mkdir()
    (store.layout.staging / "dead" / "half").write_bytes(b"half")
    elsewhere = AdapterStore(store.root.with_name("elsewhere"))
    orphan = publish(elsewhere, "orphan", 9)
    shutil.copytree(elsewhere.path(orphan), store.layout.folder(orphan))
    broken = shutil.copytree(elsewhere.path(orphan), store.layout.revisions / "00" / ("0" * 64))
    (broken / "manifest.json").unlink()


def save(store: AdapterStore, step: int) -> None:
    state = SessionState({"step": step}, {"mean": torch.full((4, 8), float(step))}, store.resolve("ben"))
    with open_session(store, "ada") as session:
        session.save(state)


def discard(store: AdapterStore) -> None:
    with open_session(store, "ada") as session:
        session.discard()


def with_session(store: AdapterStore) -> None:
    two_names(store)
    save(store, 1)


OPERATIONS: dict[str, Operation] = {
    "first publication": Operation(lambda store: None, lambda store: publish(store, "ada")),
    "publish": Operation(two_names, publish_two),
    "publish over damage": Operation(damaged, lambda store: publish(store, "ben", 2), on_damage=True),
    "rollback": Operation(two_names, lambda store: store.rollback("ada")),
    "branch": Operation(two_names, lambda store: store.branch("ada", "ada-b")),
    "tag": Operation(two_names, lambda store: store.tag("paper", store.resolve("ben"), move=True)),
    "untag": Operation(two_names, lambda store: store.untag("paper")),
    "retire": Operation(two_names, lambda store: store.retire("ben")),
    "state": Operation(
        two_names, lambda store: store.states.advance(store.resolve("ben"), "prewarming", "a test")
    ),
    "evidence": Operation(
        two_names,
        lambda store: store.evidence.add(
            [Evidence(store.resolve("ben"), "evaluation", "words", "loss", "local", {"loss": 1.0})]
        ),
    ),
    "activate": Operation(ready, lambda store: store.serving.activate("ben", store.resolve("ben"))),
    "import": Operation(with_archive, lambda store: import_archive(store, store.root.parent / ARCHIVE)),
    "import over damage": Operation(
        damaged_guests, lambda store: import_archive(store, store.root.parent / ARCHIVE), on_damage=True
    ),
    "pack": Operation(two_names, lambda store: pack_in_place(store, store.revisions())),
    "unpack": Operation(packed, lambda store: unpack_in_place(store, [store.resolve("ben")])),
    "gc": Operation(some_garbage, lambda store: collect(store, Retention(history=1), apply=True)),
    "fsck": Operation(wreck, fsck.repair, on_damage=True),
    "save": Operation(with_session, lambda store: save(store, 2)),
    "first save": Operation(two_names, lambda store: save(store, 2)),
    "discard": Operation(with_session, discard),
}
