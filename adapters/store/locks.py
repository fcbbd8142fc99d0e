"""Locks between processes of one machine that the system releases when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.errors import StoreError

_POLL_SECONDS = 0.02


@contextmanager
def held(path: Path, *, exclusive: bool, wait: float) -> Iterator[None]:
    """Hold the lock file `path`, shared with others or alone.

    Args:
        path: created when absent, never removed.
        exclusive: alone; otherwise any number of holders that are not exclusive.
        wait: seconds to wait for other holders, at least 0.

    Raises:
        StoreError: when others still hold it after `wait` seconds.
        OSError: when the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _acquire(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, path, wait)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, operation: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"{path}: held by another process for more than {wait:g} s. Wait for what it is doing "
                    f"(publishing, collecting or repairing) to end, then try again."
                ) from error
            time.sleep(_POLL_SECONDS)
        else:
            return
