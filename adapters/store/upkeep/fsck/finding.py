"""What a check of a store may find: its code, where, what is wrong, and how it is mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

CODES: Mapping[str, str] = {
    "catalog-damaged": "SQLite finds its own file inconsistent",
    "dangling-reference": "a row of the catalog names a row that does not exist",
    "head-not-newest": "a name stands for something else than the newest entry of its history",
    "impossible-state": "a revision's state is none, or not the one that its log ends with",
    "dangling-parent": "revisions were trained from revisions that are not here; no problem, only told",
    "leftover": "a writer that died left it in `staging/`",
    "orphan-folder": "a whole revision without a row: its writer died between moving and committing it",
    "double-folder": "the folder of a revision that is in a packed file already",
    "orphan-pack": "a packed file without a row: its writer died before committing it",
    "stranger": "something in `revisions/`, `packs/` or `sessions/` that is no part of a store",
    "missing-files": "a revision without its files",
    "damaged-revision": "a revision whose files are not what its record says",
    "damaged-pack": "a packed file that cannot be read, or is not the one in the catalog",
    "condemned-gone": "garbage collection was cut short after deleting it",
    "session-leftover": "training state that a dead or replaced writer left behind",
    "session-damaged": "training state that is missing or altered",
    "stale-lease": "a writer of training state died without letting go; its lock went with it",
    "quarantine": "what earlier repairs moved out of the way; no problem, only told",
}
"""Every code, and what it means."""

NOTES = frozenset({"dangling-parent", "quarantine"})
"""Codes that are worth telling and no problem."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Args:
        code: one of `CODES`.
        where: path, name or table.
        problem: what is wrong.
        cure: what `repair` does, or what the user has to do.
        mend: repairs it, while the caller keeps writers out; None where only the user can.
    """

    code: str
    where: str
    problem: str
    cure: str
    mend: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    @property
    def is_note(self) -> bool:
        """Whether it is told, but no problem."""
        return self.code in NOTES
