"""Which runs and stores lie below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

DEPTH = 4
"""Folders below a root that are searched; deeper ones are not."""
_NEVER = {"node_modules", "site-packages"}
_RUN, _STORE = "manifest.json", "catalog.sqlite"


def find_runs(root: Path) -> list[Path]:
    """Run directories at or below a folder, whatever their state; none within another, and none within a store.

    Links are not followed, hidden folders not entered.
    """
    return sorted(folder for folder, entries in _walk(root) if _RUN in _names(entries))


def find_stores(root: Path) -> list[Path]:
    """Adapter stores at or below a folder; searched as runs are."""
    return sorted(folder for folder, entries in _walk(root) if _STORE in _names(entries))


def find_scenarios(root: Path) -> list[Path]:
    """YAML files at or below a folder; searched as runs are, and not within them."""
    return sorted(
        Path(entry.path)
        for _, entries in _walk(root)
        if not _names(entries) & {_RUN, _STORE}
        for entry in entries
        if entry.name.endswith((".yaml", ".yml"))
        and entry.name[0] != "."
        and entry.is_file(follow_symlinks=False)
    )


def _walk(folder: Path, depth: int = DEPTH) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Every folder with its entries; those within a run or a store are left out."""
    try:
        entries = list(os.scandir(folder))
    except (PermissionError, FileNotFoundError, NotADirectoryError):
        return  # nothing that this user may see, or gone meanwhile
    yield folder, entries
    if not depth or _names(entries) & {_RUN, _STORE}:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and entry.name[0] != "." and entry.name not in _NEVER:
            yield from _walk(Path(entry.path), depth - 1)


def _names(entries: list[os.DirEntry[str]]) -> set[str]:
    return {entry.name for entry in entries}
