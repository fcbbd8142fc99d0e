"""Processes by number and start, so that another one that later gets the number is never taken for the first."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from adapters.errors import ServerError

START_SLACK = 2.0
"""Seconds by which the start of a process may seem to move: systems reckon it from the time of their own start, which
some keep in whole seconds and others shift when the clock is set."""

_POLL_SECONDS = 0.05
_ORPHAN_SECONDS = 2.0
_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """One process on one machine, until it ends.

    Args:
        pid: its number, which the system gives to another process later.
        started: when it began, in seconds after the machine did: setting the clock does not change it.
        host: name of the machine.
    """

    pid: int
    started: float
    host: str

    @classmethod
    def of(cls, pid: int | None = None) -> ProcessMark:
        """The mark of a process that is there; of this one when no number is given.

        Raises:
            ProcessLookupError: when there is none.
        """
        number = os.getpid() if pid is None else pid
        started = _started(number)
        if started is None:
            raise ProcessLookupError(f"{number}: no such process")
        return cls(number, started, platform.node())

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> ProcessMark:
        """What `as_record` gave.

        Raises:
            KeyError: when a key is missing.
            TypeError, ValueError: for a value of another kind.
        """
        return cls(int(record["pid"]), float(record["started"]), str(record["host"]))

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def is_here(self) -> bool:
        """Whether it belongs to this machine."""
        return self.host == platform.node()

    def alive(self) -> bool | None:
        """Whether it runs, which a zombie does not; None when it is another machine's, where it cannot be seen."""
        if not self.is_here:
            return None
        started = _started(self.pid)
        return started is not None and self._began(started) and _is_running(self.pid)

    def signal(self, number: int) -> bool:
        """Send it a signal; False when it has ended or is another machine's, and then nothing is sent."""
        return bool(self.alive()) and _signal(self.pid, number)

    def group(self) -> list[int]:
        """Pids of the running processes in the group that it leads or led, ascending; none on another machine.

        The system gives out no pid that is still the number of a group, so a process of that pid with another start
        says that the group is gone.
        """
        import psutil

        leader = _started(self.pid) if self.is_here else None
        if not self.is_here or (leader is not None and not self._began(leader)):
            return []
        return [pid for pid in sorted(psutil.pids()) if _group_of(pid) == self.pid and _is_running(pid)]

    def stop_group(self, *, grace: float) -> bool:
        """End it and the whole group that it leads: SIGTERM to the leader, then SIGKILL to what remains.

        The leader is asked first and alone, so that it can end its children in order; those that outlive it, as after
        a crash, get a moment to notice. A group that is gone already is no error.

        Args:
            grace: seconds that the leader gets after SIGTERM, at least 0.

        Returns:
            Whether SIGKILL was needed.

        Raises:
            ServerError: when something of the group survives SIGKILL.
        """
        if self.signal(signal.SIGTERM):
            _wait_until(lambda: not self.alive(), grace)
        orphans = 0 if self.alive() else min(grace, _ORPHAN_SECONDS)
        if _wait_until(lambda: not self.group(), orphans):
            return False
        for pid in self.group():
            _signal(pid, signal.SIGKILL)
        if not _wait_until(lambda: not self.group(), _KILL_SECONDS):
            raise ServerError(
                f"process group {self.pid}: {', '.join(map(str, self.group()))} survived SIGKILL for "
                f"{_KILL_SECONDS:g} s; look at them with `ps -o pid,stat,wchan,args -g {self.pid}`"
            )
        return True

    def _began(self, started: float) -> bool:
        return abs(started - self.started) < START_SLACK


def memory(pids: list[int]) -> int:
    """Bytes of main memory that processes hold, shared pages counted in each; those that have ended hold none."""
    import psutil

    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_info().rss
        except psutil.Error:
            continue
    return total


def _started(pid: int) -> float | None:
    """Seconds between the start of the machine and that of a process; None when there is none."""
    import psutil

    booted = psutil.boot_time()  # first: psutil reckons starts from what it answered last
    try:
        return float(psutil.Process(pid).create_time() - booted)
    except psutil.NoSuchProcess:
        return None


def _is_running(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # it ended just now
        return False
    return True


def _wait_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
