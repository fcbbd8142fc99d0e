"""Naming a process so that another one that later gets its number is never taken for it."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from typing import Any

CLOCK_SLACK = 2.0
"""Seconds by which the start of one process may seem to move: systems reckon it from the time of their own start,
which shifts when the clock is set."""


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """One process on one machine, until it ends.

    Args:
        pid: its number, which the system gives to another process later.
        started: when it began, in seconds since 1970, as the system tells it; with `pid` it names the process.
        host: name of the machine.
    """

    pid: int
    started: float
    host: str

    @classmethod
    def of(cls, pid: int | None = None) -> ProcessMark:
        """The mark of a living process; of this one when no number is given.

        Raises:
            ProcessLookupError: when there is none.
        """
        import psutil

        number = os.getpid() if pid is None else pid
        try:
            return cls(number, psutil.Process(number).create_time(), platform.node())
        except psutil.NoSuchProcess as error:
            raise ProcessLookupError(number) from error

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> ProcessMark:
        """What `as_record` gave.

        Raises:
            KeyError: when a key is missing.
        """
        return cls(int(record["pid"]), float(record["started"]), str(record["host"]))

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def alive(self) -> bool | None:
        """Whether it runs; None when it belongs to another machine, where it cannot be seen."""
        import psutil

        if self.host != platform.node():
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < CLOCK_SLACK
            return bool(same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def signal(self, number: int) -> bool:
        """Send it a signal; False when it has ended or is another machine's, and then nothing is sent."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:  # it ended just now
            return False
        return True
