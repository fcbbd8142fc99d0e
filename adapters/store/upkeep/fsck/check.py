"""Checking a whole store, and repairing what can be repaired without guessing.

A repair never changes what a name stands for and never deletes a damaged revision: what is damaged or strange goes to
`quarantine/`, and what only a person can decide is left as a problem with its cure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.store.folders import disk_errors
from adapters.store.locks import held
from adapters.store.store import AdapterStore
from adapters.store.upkeep.fsck import catalog, contents, files, sessions
from adapters.store.upkeep.fsck.finding import Finding

Progress = Callable[[int, int], None]

_INSPECTIONS: tuple[Callable[[AdapterStore], Iterator[Finding]], ...] = (
    *catalog.CHECKS,
    *files.CHECKS,
    contents.packs,
    sessions.sessions,
)


def _unwatched(_done: int, _of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Args:
        checked: revisions whose files were proved.
        problems: what is wrong; after a repair, what still is.
        mended: what was repaired.
        notes: what is worth knowing and no problem.
    """

    checked: int
    problems: tuple[Finding, ...]
    mended: tuple[Finding, ...]
    notes: tuple[Finding, ...]


def check(store: AdapterStore, *, on_progress: Progress = _unwatched) -> Report:
    """Prove every revision, and look for whatever does not belong; changes nothing.

    Args:
        store: to check; others may read it and, but for moments, write it meanwhile.
        on_progress: called with the number of revisions proved, and of all.

    Raises:
        StoreError: no store there, a catalog that cannot be read, or writers that do not end.
    """
    with _alone(store):
        found = _structure(store)
    which = store.revisions()
    found += contents.revisions(store, which, on_progress)
    return _report(len(which), found, [])


def repair(store: AdapterStore, *, on_progress: Progress = _unwatched) -> Report:
    """`check`, and mend what can be mended without guessing; repeated, it goes on where it was cut short."""
    with _alone(store):
        mended = _mend(_structure(store))
    which = store.revisions()
    found = list(contents.revisions(store, which, on_progress))
    while mendable := [finding for finding in found if finding.mend]:
        with _alone(store):
            mended += _mend(mendable)
        found = list(contents.revisions(store, [finding.where for finding in found], _unwatched))
    with _alone(store):
        found += _structure(store)
    return _report(len(which), found, mended)


def _structure(store: AdapterStore) -> list[Finding]:
    return [finding for inspect in _INSPECTIONS for finding in inspect(store)]


def _mend(findings: Iterable[Finding]) -> list[Finding]:
    mended = []
    for finding in findings:
        if finding.mend is not None:
            finding.mend()
            mended.append(finding)
    return mended


def _report(checked: int, found: Iterable[Finding], mended: Iterable[Finding]) -> Report:
    found = sorted(found, key=lambda finding: (finding.code, finding.where))
    return Report(
        checked=checked,
        problems=tuple(finding for finding in found if not finding.is_note),
        mended=tuple(mended),
        notes=tuple(finding for finding in found if finding.is_note),
    )


@contextmanager
def _alone(store: AdapterStore) -> Iterator[None]:
    """Without writers: only so their work can be told from what dead ones left."""
    store.catalog.require()  # where there is no store, no lock file is to be made
    with disk_errors(store.root), held(store.layout.lock, exclusive=True, wait=store.wait):
        yield
