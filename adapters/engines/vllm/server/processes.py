"""Processes by identity: a pid with the time it started, so that a recycled pid is never taken for ours."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from adapters.errors import ServerError

_PROC = Path("/proc")
_POLL_SECONDS = 0.05
_ORPHAN_SECONDS = 2.0
_KILL_SECONDS = 10.0


class ProcessId(NamedTuple):
    """One process and no other: `started` is its start in clock ticks since boot, as Linux counts."""

    pid: int
    started: int


class _Stat(NamedTuple):
    state: str
    group: int
    started: int


def identify(pid: int) -> ProcessId:
    """The identity of a process that runs now.

    Raises:
        ProcessLookupError: when there is none.
    """
    stat = _stat(pid)
    if stat is None:
        raise ProcessLookupError(f"{pid}: no such process")
    return ProcessId(pid, stat.started)


def is_alive(process: ProcessId) -> bool:
    """Whether that very process still runs; a zombie does not."""
    stat = _stat(process.pid)
    return stat is not None and stat.started == process.started and stat.state not in "ZX"


def group_members(process: ProcessId) -> list[int]:
    """Pids of the living processes in the group that `process` leads or led, ascending.

    The system gives out no pid that is still the number of a group, so a process of that pid with another start
    says that the group is gone.
    """
    leader = _stat(process.pid)
    if leader is not None and leader.started != process.started:
        return []
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None:
            ours = stat.group == process.pid and stat.started >= process.started
            if ours and stat.state not in "ZX":
                found.append(int(entry.name))
    return sorted(found)


def stop_group(process: ProcessId, *, grace: float) -> bool:
    """End a process and the whole group that it leads: SIGTERM to the leader, then SIGKILL to what remains.

    The leader is asked first and alone, so that it can end its children in order; those that outlive it, as after
    a crash, get a moment to notice. A group that is gone already is no error.

    Args:
        process: leader of a process group of its own.
        grace: seconds that the leader gets after SIGTERM, at least 0.

    Returns:
        Whether SIGKILL was needed.

    Raises:
        ServerError: when something of the group survives SIGKILL.
    """
    if is_alive(process):
        _signal(process.pid, signal.SIGTERM)
        _wait_until(lambda: not is_alive(process), grace)
    if _wait_until(
        lambda: not group_members(process), 0 if is_alive(process) else min(grace, _ORPHAN_SECONDS)
    ):
        return False
    for pid in group_members(process):
        _signal(pid, signal.SIGKILL)
    if not _wait_until(lambda: not group_members(process), _KILL_SECONDS):
        raise ServerError(
            f"process group {process.pid}: {', '.join(map(str, group_members(process)))} survived SIGKILL for "
            f"{_KILL_SECONDS:g} s; look at them with `ps -o pid,stat,wchan,args -g {process.pid}`"
        )
    return True


def _wait_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself, which is what the signal was for


def _stat(pid: int) -> _Stat | None:
    """What /proc says of a process: fields 3, 5 and 22 of `stat`; None when there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return _Stat(fields[0], int(fields[2]), int(fields[19]))
