"""Archives for the tests, and the store that they come from."""

from __future__ import annotations

from pathlib import Path

from adapters.store import AdapterStore
from adapters.store.handoff.archive import export_archive
from tests.adapters.store.samples import publish


def stocked(root: Path) -> AdapterStore:
    """ada with three revisions, the first tagged; ben with the second of them, too."""
    store = AdapterStore(root)
    publish(store, "ada", 0)
    publish(store, "ada", 1, metrics={"loss": 1.5})
    publish(store, "ada", 2)
    publish(store, "ben", 1)
    store.tag("paper", store.log("ada")[-1].revision)
    return store


def everything(store: AdapterStore, folder: Path) -> Path:
    """All of a store in one file."""
    export_archive(store, store.revisions(), folder / "all.tar")
    return folder / "all.tar"
