"""Which processes use which adapters of a shared shelf, so that none deletes what another has registered."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adapters.errors import StoreError
from adapters.store.locks import held

_WAIT_SECONDS = 60.0
_LOCK = "lock"


class ShelfUsers:
    """One user of a shelf among others, of this process or of another.

    Each has a folder of its own, with an empty file for every entry it uses and a lock that the system releases when
    the process ends, however it ends. Who changes entries or looks at others' marks holds the gate meanwhile.

    Args:
        folder: shared by all users of the shelf; created.

    Raises:
        OSError: from the file system.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._own = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._life = ExitStack()
        with self.gate():
            self._own.mkdir()
            self._life.enter_context(held(self._own / _LOCK, exclusive=True, wait=0))

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Keep other users away from the entries inside the block.

        Raises:
            StoreError: another user held it for a minute.
        """
        with held(self._folder / "gate", exclusive=True, wait=_WAIT_SECONDS):
            yield

    def join(self, entry: str) -> None:
        """Mark an entry as used by this user."""
        (self._own / entry).touch()

    def leave(self, entry: str) -> None:
        """Take that mark back."""
        (self._own / entry).unlink(missing_ok=True)

    def others(self, entry: str) -> bool:
        """Whether another living user marks an entry; what dead ones left is cleared away."""
        found = False
        for user in sorted(self._folder.iterdir()):
            if user == self._own or not user.is_dir():
                continue
            if _is_alive(user):
                found |= (user / entry).exists()
            else:
                shutil.rmtree(user, ignore_errors=True)
        return found

    def close(self) -> None:
        """Use nothing any more; a second call does nothing.

        Raises:
            StoreError: another user held the gate for a minute.
        """
        if self._own.exists():
            with self.gate():
                shutil.rmtree(self._own, ignore_errors=True)
        self._life.close()


def _is_alive(user: Path) -> bool:
    try:
        with held(user / _LOCK, exclusive=True, wait=0):
            return False
    except StoreError:
        return True
