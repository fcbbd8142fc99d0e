"""Where everything lies in a store's folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class StoreLayout(NamedTuple):
    """The places of one store.

    Args:
        root: the store's folder.
    """

    root: Path

    @property
    def catalog(self) -> Path:
        """The SQLite file that says what exists."""
        return self.root / "catalog.sqlite"

    @property
    def revisions(self) -> Path:
        """`3f/3f2a…/` below it holds the files of revision 3f2a…"""
        return self.root / "revisions"

    @property
    def packs(self) -> Path:
        """Files that hold many revisions each."""
        return self.root / "packs"

    @property
    def staging(self) -> Path:
        """What is being written."""
        return self.root / "staging"

    @property
    def sessions(self) -> Path:
        """State of trainings that go on."""
        return self.root / "sessions"

    @property
    def trainings(self) -> Path:
        """What trainings went through on the way to their revisions; nothing depends on it."""
        return self.root / "trainings"

    @property
    def evaluations(self) -> Path:
        """What evaluations of many revisions gave beyond the numbers of each; nothing depends on it."""
        return self.root / "evaluations"

    @property
    def quarantine(self) -> Path:
        """Damaged files that were moved out of the way."""
        return self.root / "quarantine"

    @property
    def lock(self) -> Path:
        """Shared by writers, exclusive for those who clean up after dead ones."""
        return self.root / "writers.lock"

    def folder(self, revision: str) -> Path:
        """Of one revision, when it has a folder of its own."""
        return self.revisions / revision[:2] / revision
