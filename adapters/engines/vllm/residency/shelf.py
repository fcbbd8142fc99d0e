"""Adapters laid out for a vLLM server: one PEFT folder each, under a name and path of its own, deleted late."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from adapters.engines.residency import AdapterReader
from adapters.engines.vllm.residency.shelf_users import ShelfUsers
from adapters.errors import StoreError, UnsupportedAdapterError
from adapters.lora.adapter import Adapter
from adapters.lora.peft_io import peft_files
from adapters.lora.spec import LoraSpec
from adapters.store.folders import sync_folders
from adapters.store.packs.packing import write_files

GRACE_SECONDS = 600.0
"""How long a folder outlives its name. A server reads it until the last request of that name has begun."""

_HASH = re.compile(r"[0-9a-f]{40,64}")
_DIGITS = 32
_READABLE = 0o644  # a server may run as another user
_USERS = ".users"


class Placed(NamedTuple):
    """An adapter where the server finds it.

    Args:
        name: that it is served under: letters, digits and hyphens only, whatever the revision is called.
        path: of its folder, as the server sees it.
    """

    name: str
    path: Path


class Carries(NamedTuple):
    """What the server's slots can hold; None where it is not known.

    Args:
        rank: its `--max-lora-rank`.
        targets: its `--lora-target-modules`. vLLM leaves out the layers of an adapter that are not among them, and
            says nothing (read in 0.27.1): the answers would be those of another adapter.
    """

    rank: int | None = None
    targets: tuple[str, ...] | None = None

    def check(self, spec: LoraSpec) -> None:
        """Refuse an adapter that would not be served as it is.

        Raises:
            UnsupportedAdapterError: with what the server has to be started with.
        """
        if self.rank is not None and spec.rank > self.rank:
            raise UnsupportedAdapterError(
                f"rank: the adapter has {spec.rank}, the server takes up to {self.rank}. "
                f"Start it for rank {spec.rank} (vLLM's --max-lora-rank)."
            )
        if self.targets is not None and (missing := [t for t in spec.targets if t not in self.targets]):
            raise UnsupportedAdapterError(
                f"targets: the adapter changes {', '.join(missing)}, where the server holds no adapters: it would "
                f"leave them out. Start it for these targets too (vLLM's --lora-target-modules)."
            )


ANYTHING = Carries()
"""Of a server whose settings are not known."""


class AdapterShelf:
    """Folders that a vLLM server loads adapters from; any number of processes may share one.

    A name stands for one content for ever, and for one path: vLLM keys its prefix cache by names and reads paths again
    when an adapter has left its cache. So the name is made of the revision and of the shelf's place. An entry appears
    whole, after it is on the disk; what is there already, from an earlier run or another process, is compared byte
    by byte and mended. A name that was unloaded may still be read for requests on their way: its folder is deleted
    `grace` seconds later, unless another living process uses it. What a process leaves at its end stays for the next.

    Any thread may call it.

    Args:
        folder: on this machine; created when the first adapter is placed.
        adapters: where revisions are opened.
        zero: the adapter with ΔW = 0 that stands for the bare base, in the base's shape; see `zero_adapter`.
        server_folder: the same folder as the server sees it, where that differs (a container).
        carries: what the server can hold; an adapter that does not fit is not placed.
        grace: seconds, at least 0.
        clock: seconds that only go up.

    Source: traps measured with vLLM 0.27.1. A folder that is missing when the engine wants to read it stops the whole
    engine (`vllm/lora/worker_manager.py`, called for each step from `v1/worker/lora_model_runner_mixin.py`).
    """

    def __init__(
        self,
        folder: Path,
        adapters: AdapterReader,
        *,
        zero: Adapter,
        server_folder: Path | None = None,
        carries: Carries = ANYTHING,
        grace: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if grace < 0:
            raise ValueError(f"grace: got {grace}; expected 0 seconds or more")
        self.folder = folder.absolute()
        self._server_folder = self.folder if server_folder is None else server_folder
        self._adapters, self._zero, self._carries = adapters, zero, carries
        self._grace, self._clock = grace, clock
        self._suffix = hashlib.sha256(str(self._server_folder).encode()).hexdigest()[:8]
        self.zero_name = f"zero-{_shape_digest(zero)[:_DIGITS]}-{self._suffix}"
        self._names: dict[str, str] = {}
        self._placed: dict[str, Placed] = {}
        self._retired: dict[str, float] = {}  # name → when its folder may go
        self._users: ShelfUsers | None = None
        self._lock = threading.Lock()

    def name(self, revision: str) -> str:
        """What a revision is served as; nothing is read or written."""
        if revision not in self._names:  # asked for every waiting adapter whenever a slot is free
            hashed = _HASH.fullmatch(revision)
            digest = revision if hashed else hashlib.sha256(revision.encode("utf-8")).hexdigest()
            self._names[revision] = f"a-{digest[:_DIGITS]}-{self._suffix}"
        return self._names[revision]

    def owns(self, name: str, path: Path) -> bool:
        """Whether a name that a server lists, with its path, is an entry of this shelf."""
        return name.endswith(f"-{self._suffix}") and path == self._server_folder / name

    def has(self, name: str) -> bool:
        """Whether a name was placed by this process and not retired since; nothing is read."""
        return name in self._placed and name not in self._retired

    def place(self, revision: str) -> Placed:
        """See to it that a revision lies where the server finds it.

        Raises:
            AdapterError: there is no such revision, it is damaged or made for another base or server.
            StoreError: the shelf cannot be written; nothing half-written is left.
        """
        with self._lock:
            return self._place(self.name(revision), lambda: self._adapters.open(revision))

    def zero(self) -> Placed:
        """The same for the adapter that stands for the bare base."""
        with self._lock:
            return self._place(self.zero_name, lambda: self._zero)

    def retire(self, name: str) -> None:
        """The server was told to unload a name: its folder may go when the grace is over."""
        with self._lock:
            self._retired[name] = self._clock() + self._grace

    def sweep(self) -> list[str]:
        """Delete the folders whose grace is over; returns their names.

        Raises:
            StoreError: the shelf cannot be written.
        """
        with self._lock:
            due = [name for name, when in self._retired.items() if when <= self._clock()]
            if not due:
                return []
            with self._disk_errors():
                return self._delete(due)

    def close(self) -> None:
        """Use no entry any more; the folders stay for the next process. A second call does nothing."""
        with self._lock:
            if self._users is not None:
                self._users.close()
            self._users = None
            self._placed.clear()

    def _place(self, name: str, opened: Callable[[], Adapter]) -> Placed:
        self._retired.pop(name, None)
        if name not in self._placed:
            files = peft_files(self._fitting(opened()), base_ref="base")
            with self._disk_errors():
                users = self._joined()
                with users.gate():
                    users.join(name)
                    self._bring_in(name, files)
            self._placed[name] = Placed(name, self._server_folder / name)
        return self._placed[name]

    def _fitting(self, adapter: Adapter) -> Adapter:
        self._carries.check(adapter.spec)
        return adapter

    def _bring_in(self, name: str, files: Mapping[str, bytes]) -> None:
        entry = self.folder / name
        if _holds(entry, files):
            return
        partial = self.folder / f".{name}.{os.getpid()}.partial"
        try:
            write_files(partial, files, mode=_READABLE)
            sync_folders([partial])
            if entry.exists():
                entry.rename(damaged := partial.with_suffix(".damaged"))
                shutil.rmtree(damaged)
            partial.rename(entry)
            sync_folders([self.folder])
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # gone after the move

    def _delete(self, names: list[str]) -> list[str]:
        deleted = []
        users = self._joined()
        with users.gate():
            for name in names:
                self._placed.pop(name, None)
                users.leave(name)
                entry = self.folder / name
                if not users.others(name) and entry.exists():
                    entry.rename(gone := self.folder / f".{name}.{os.getpid()}.gone")
                    shutil.rmtree(gone)
                    deleted.append(name)
                del self._retired[name]
        return deleted

    def _joined(self) -> ShelfUsers:
        if self._users is None:
            self._users = ShelfUsers(self.folder / _USERS)
        return self._users

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{error.filename or self.folder}: {error.strerror or error}. An adapter could not be laid out for the "
                f"vLLM server; nothing half-written was left. Check free space and permissions, or name another folder."
            ) from error


def _shape_digest(adapter: Adapter) -> str:
    shapes = sorted((path, *pair.A.shape, *pair.B.shape) for path, pair in adapter.pairs.items())
    return hashlib.sha256(repr((adapter.spec, shapes)).encode()).hexdigest()


def _holds(entry: Path, files: Mapping[str, bytes]) -> bool:
    try:
        return all((entry / name).read_bytes() == content for name, content in files.items())
    except FileNotFoundError:
        return False
