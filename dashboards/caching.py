"""Views are computed once: kept until an argument changes, or a file that the argument stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath, WindowsPath
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from sim.run_dir import CellDir, RunDir

P = ParamSpec("P")
R = TypeVar("R")

KEPT_RESULTS = 32
"""Of each view: the dashboard's memory stays bounded however many runs are looked at."""
_CLOCKS = {"progress.json", "timings.json", "usage.json", "interviews"}
"""What changes all the time and no cached view shows."""


def cached(view: Callable[P, R]) -> Callable[P, R]:
    """Keep what a view returns.

    Args:
        view: a function of module level. A `RunDir` or `CellDir` among its arguments, also within a list, counts as
            its path and the stamps (time, size) of its files; a `Path` as itself and the stamps of the file, or of
            the files directly in the folder.
    """
    keep: Callable[[Callable[P, R]], Callable[P, R]] = st.cache_data(
        show_spinner=False, max_entries=KEPT_RESULTS, hash_funcs=_STANDS_FOR
    )
    return keep(view)


def tree_stamps(folder: Path) -> list[Any]:
    """Path, time and size of every file below a folder that a view may show; hidden ones are not."""
    return [str(folder), *sorted(_walk(str(folder)))]


def path_stamps(path: Path) -> list[Any]:
    """Path, time and size of a file, or of the files directly in a folder; the path alone of what is not there."""
    if path.is_dir():
        return [str(path), *sorted(_stamp(e) for e in os.scandir(path) if e.is_file())]
    if path.exists():
        status = path.stat()
        return [str(path), status.st_mtime_ns, status.st_size]
    return [str(path)]


def _walk(folder: str) -> Iterator[tuple[str, int, int]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:  # a ledger's parts are gone once its cell is sealed
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _CLOCKS:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        else:
            yield _stamp(entry)


def _stamp(entry: os.DirEntry[str]) -> tuple[str, int, int]:
    try:
        status = entry.stat()
    except FileNotFoundError:
        return entry.path, 0, 0
    return entry.path, status.st_mtime_ns, status.st_size


_STANDS_FOR: dict[str | type[Any], Callable[[Any], Any]] = {
    RunDir: lambda run: tree_stamps(run.path),
    CellDir: lambda cell: tree_stamps(cell.path),
    PosixPath: path_stamps,
    WindowsPath: path_stamps,
}
"""Argument type → what it counts as."""
