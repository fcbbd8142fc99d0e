"""The terminal: tables and progress on the screen, errors on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False)


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def begin(self, task: str, total: int) -> None:
        self._progress.start()
        self._tasks[task] = self._progress.add_task(task, total=total, note="")

    def advance(self, task: str, done: int, note: str = "") -> None:
        self._progress.update(self._tasks[task], completed=done, note=note)

    def say(self, message: str) -> None:
        self._progress.console.print(message, markup=False)


@contextmanager
def progress_bars() -> Iterator[_Bars]:
    """A watcher that draws a bar for each task on standard error; nothing before the first task begins."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    progress = Progress(*columns, console=err)
    try:
        yield _Bars(progress)
    finally:
        if progress.tasks:
            progress.stop()
