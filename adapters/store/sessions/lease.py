"""A lease on one thing to write: one living holder at a time, whose death releases it at once.

The system's file lock does the work: it goes when its holder ends, however it ends. The file's text
says who holds it, for the message to others. A holder that hangs may be replaced by force: the file is then
another one, and the fencing token of `sessions.py` keeps the old holder from ever writing again.

Processes forked by the holder share its lock; the lease lasts until all of them have ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from adapters.errors import StoreError
from adapters.store.drafts import utc_now

_MOST_TEXT = 4096
_PATIENCE_SECONDS = 0.2  # longer than `is_held` holds a lock to probe it
_POLL_SECONDS = 0.02


class Holder(NamedTuple):
    """Who has a lease: process id, host name, since when (ISO 8601, UTC)."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since[:19].replace('T', ' ')} UTC"


@contextmanager
def leased(path: Path, what: str, *, take_over: bool = False) -> Iterator[None]:
    """Hold the lease of the lock file `path` for the time of the block.

    Args:
        path: of the lock file; created when absent, left behind empty.
        what: is leased, for the message.
        take_over: push out a holder that lives but hangs. What it saved stays; it can save no more, provided
            that its saves are fenced by a token.

    Raises:
        StoreError: another holds it; names the holder.
        OSError: from the file system.
    """
    descriptor = _acquire(path, what, take_over)
    try:
        text = json.dumps(Holder(os.getpid(), socket.gethostname(), utc_now())._asdict())
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode("ascii"), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lease of this lock file.

    Raises:
        OSError: when there is no such file, or it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who wrote the file last without letting go: the holder, or one that died holding; None for nobody.

    Raises:
        OSError: when there is no such file, or it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        text = os.read(descriptor, _MOST_TEXT)
    finally:
        os.close(descriptor)
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None  # empty, or half written by one that just came or died: nobody can be named


def _acquire(path: Path, what: str, take_over: bool) -> int:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (descriptor := _open_locked(path)) is None:
        if take_over:
            path.unlink(missing_ok=True)
        elif time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        else:
            raise StoreError(
                f"{what}: {holder(path) or 'another process'} is writing it. Wait for it to end; a process "
                f"that ends releases it, however it ends. One that hangs can be pushed out with take_over."
            )
    return descriptor


def _open_locked(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    if _try_lock(descriptor) and _is_file(descriptor, path):
        return descriptor
    os.close(descriptor)  # another holds it, or it is the file that somebody was pushed out from
    return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether the open file still is the one at `path`."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)
