"""Faults at any write of an operation: the process dies there, or the system refuses what it asks.

A step is one change of the file system below a folder, one fsync, or one SQL statement that writes. They are seen from
outside, by Python's audit events and SQLite's own connection class, so the product needs no hooks for it.
Where in a file's content a write is cut, Python does not see; the limit on file sizes does that, for
safetensors' and SQLite's own code as well.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CUTS = (1, 700, 4500, 60_000)
"""File sizes, in bytes, at which writes are cut: within records, tensors, journals and the catalog."""

_EVENTS = {
    "open",
    "os.mkdir",
    "os.rename",
    "os.chmod",
    "os.remove",
    "os.rmdir",
    "os.truncate",
    "os.link",
    "os.symlink",
}
_NEEDS_SPACE = {"open", "os.mkdir", "os.link", "os.symlink", "write", "fsync", "sql"}
_WRITING_SQL = {"INSERT", "UPDATE", "DELETE", "REPLACE", "COMMIT", "CREATE", "DROP", "ALTER"}


class Fault(NamedTuple):
    """What goes wrong.

    Args:
        how: `killed`; `EIO`, once; `ENOSPC`, for this step and every later one that needs space;
            `cut`, `cut and killed` at a file size.
        at: number of the step, or the file size.
    """

    how: str
    at: int


class Witness:
    """Counts steps and strikes at one of them.

    Args:
        root: only what happens below it counts.
        fault: what goes wrong, and when.
        tell: receives the name of the step struck.
    """

    def __init__(self, root: Path, fault: Fault, tell: Callable[[str], object]) -> None:
        self._root = str(root)
        self._fault = fault
        self._tell = tell
        self._done = 0
        self.has_struck = False

    def arm(self) -> None:
        """From now on, in this process, for good."""
        if self._fault.how.startswith("cut"):
            self.has_struck = True
            self._tell(f"file of {self._fault.at} bytes")
            if self._fault.how == "cut and killed":
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._fault.at, self._fault.at))
            return
        sys.addaudithook(self._audit)
        connect, sync, write = sqlite3.connect, os.fsync, os.pwrite

        def traced_sync(descriptor: int) -> None:
            self._step("fsync", "")
            sync(descriptor)

        def traced_write(descriptor: int, content: bytes, offset: int) -> int:
            self._step("write", "")
            return write(descriptor, content, offset)

        def traced_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
            return connect(*arguments, **options | {"factory": _connection(self._step)})

        os.fsync, os.pwrite, sqlite3.connect = traced_sync, traced_write, traced_connect  # type: ignore[assignment]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or (event == "open" and "r" in str(arguments[1] or "r")):
            return
        path = str(arguments[0])
        if path.startswith(self._root) or event in {"os.remove", "os.rmdir", "os.truncate"}:
            self._step(event, Path(path).name)

    def _step(self, kind: str, detail: str) -> None:
        number, self._done = self._done, self._done + 1
        is_full = self._fault.how == "ENOSPC" and self.has_struck and kind in _NEEDS_SPACE
        if number != self._fault.at and not is_full:
            return
        if not self.has_struck:
            self.has_struck = True
            self._tell(f"{kind} {detail}".strip())
        if self._fault.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "sql":
            raise _sql_error(is_full=self._fault.how == "ENOSPC")
        code = errno.ENOSPC if self._fault.how == "ENOSPC" else errno.EIO
        raise OSError(code, os.strerror(code))


def _connection(step: Callable[[str, str], None]) -> type[sqlite3.Connection]:
    def judge(statement: str) -> None:
        words = statement.split(maxsplit=2)
        if words[0] in _WRITING_SQL or words[:2] == ["BEGIN", "IMMEDIATE"]:
            step("sql", " ".join(statement.split())[:40])

    class Traced(sqlite3.Connection):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            judge(statement)
            return super().execute(statement, *arguments)

        def executemany(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            judge(statement)
            return super().executemany(statement, *arguments)

    return Traced


def _sql_error(*, is_full: bool) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full" if is_full else "disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL if is_full else sqlite3.SQLITE_IOERR
    return error
