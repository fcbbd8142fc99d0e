"""Progress of a run in a file of the run directory, for whoever looks from outside: the dashboard, a script, `cat`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.processes import ProcessMark
from sim.atomic import write_json
from sim.errors import RunDirError
from sim.progress import Watcher

NAME = "progress.json"
FORMAT = 1
PAUSE = 0.5
"""Seconds between two writings, at least; beginnings and ends are written at once."""
KEPT_MESSAGES = 50


@dataclass
class Task:
    """One task: a cell, or the training of a batch of adapters.

    Args:
        name: as the screen shows it.
        total: units in all.
        done: units finished.
        note: a short remark such as a loss, or how many requests of the step failed.
    """

    name: str
    total: int
    done: int = 0
    note: str = ""


@dataclass
class Progress:
    """What the file says.

    Args:
        process: who writes the run, or wrote it last.
        started: when the run was first begun (ISO 8601, UTC).
        resumed: when this process began; the same as `started` for a run in one go.
        updated: when the file was written.
        ended: when this process left the run, which a notebook outlives; None while it is at it.
        tasks: those of this process, in the order in which they began.
        messages: lines worth keeping, the latest last.
    """

    process: ProcessMark
    started: str
    resumed: str
    updated: str
    ended: str | None = None
    tasks: list[Task] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def at_work(self) -> bool | None:
        """Whether the process still works at the run; None when it cannot be seen from this machine."""
        return False if self.ended else self.process.alive()


class ProgressFile:
    """A watcher that keeps `progress.json` current and passes everything on.

    Args:
        path: the file; what it says of the first beginning is kept, unless it is damaged.
        inner: told of everything, first.
        clock: seconds, for the pauses between writings.
    """

    def __init__(self, path: Path, inner: Watcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._inner, self._clock = path, inner, clock
        now = _now()
        self._progress = Progress(ProcessMark.of(), _begun(path.parent) or now, now, now)
        self._tasks: dict[str, Task] = {}
        self._written = float("-inf")

    def begin(self, task: str, total: int) -> None:
        """Pass on, and write."""
        self._inner.begin(task, total)
        if task in self._tasks:  # begun again: its line starts anew
            self._progress.tasks.remove(self._tasks[task])
        self._tasks[task] = Task(task, total)
        self._progress.tasks.append(self._tasks[task])
        self.write()

    def advance(self, task: str, done: int, note: str = "") -> None:
        """Pass on, and write unless that was done just now."""
        self._inner.advance(task, done, note)
        here = self._tasks[task]
        here.done, here.note = done, note
        if done >= here.total or self._clock() - self._written >= PAUSE:
            self.write()

    def say(self, message: str) -> None:
        """Pass on, and write."""
        self._inner.say(message)
        self._progress.messages = [*self._progress.messages, message][-KEPT_MESSAGES:]
        self.write()

    def write(self) -> None:
        """Write the file, whole."""
        self._written = self._clock()
        self._progress.updated = _now()
        write_json(self._path, {"format": FORMAT, **asdict(self._progress)})

    def end(self) -> None:
        """Write that this process is through with the run."""
        self._progress.ended = _now()
        self.write()


@contextmanager
def progress_file(run: Path, inner: Watcher) -> Iterator[ProgressFile]:
    """Watch a run into its own progress file, up to its end or its fall.

    Args:
        run: the run directory.
        inner: told of everything, too.
    """
    watcher = ProgressFile(run / NAME, inner)
    watcher.write()
    try:
        yield watcher
    finally:
        watcher.end()


def read_progress(run: Path) -> Progress | None:
    """The progress of a run; None when it has no such file, as runs of older versions.

    Raises:
        RunDirError: when the file is damaged or of a newer format.
    """
    path = run / NAME
    try:
        record: Any = json.loads(path.read_text("utf-8"))
        if record["format"] > FORMAT:
            raise RunDirError(
                f"{path}: written by a newer Plures (format {record['format']}). Upgrade Plures."
            )
        return Progress(
            process=ProcessMark.from_record(record["process"]),
            started=datetime.fromisoformat(record["started"]).isoformat(),
            resumed=str(record["resumed"]),
            updated=str(record["updated"]),
            ended=record.get("ended"),
            tasks=[
                Task(str(t["name"]), int(t["total"]), int(t["done"]), str(t["note"])) for t in record["tasks"]
            ],
            messages=[str(line) for line in record["messages"]],
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunDirError(
            f"{path}: damaged ({error!r}). It only tells of progress: delete it, the run needs it not."
        ) from error


def _begun(run: Path) -> str | None:
    try:
        before = read_progress(run)
    except RunDirError:  # the run needs it not, so it must not keep the run from going on
        return None
    return before.started if before else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
