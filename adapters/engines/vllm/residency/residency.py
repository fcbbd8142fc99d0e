"""Which adapters a vLLM server knows: registered on demand, pinned while in use, unloaded late."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from adapters.engines.vllm.residency.shelf import AdapterShelf, Placed
from adapters.engines.vllm.residency.tiers import ServerTiers, Tier
from adapters.errors import AdapterError

_T = TypeVar("_T")

ZERO = "zero adapter"
"""Stands for the bare base where a revision is named: requests without an adapter go to one that changes nothing.

Source: on a CPU, vLLM 0.27.1 answers requests to the base that share a batch with adapters under one of the adapters.
"""

MAX_NAMES = 4096
"""Names that stay registered. A name costs the server a few hundred bytes; to register again costs a file read."""


class Registrar(Protocol):
    """Where names are registered: the client of one server."""

    async def load_adapter(self, name: str, path: Path) -> None:
        """Register a name for a folder.

        Raises:
            AdapterError: the server refuses, or does not answer.
        """
        ...

    async def unload_adapter(self, name: str) -> None:
        """Take a name back; one that is not there is no error.

        Raises:
            AdapterError: the server refuses, or does not answer.
        """
        ...


class ServerResidency:
    """Brings revisions to one server and knows, by a model of it, which are hot, warm or cold.

    It is used from one event loop at a time, and from another one only after `settle`.

    Args:
        shelf: where the server reads adapters.
        registrar: the server.
        tiers: the model of the server's caches.
        served: revision, or ZERO → name, for adapters that the server has loaded itself; they are never unloaded.
        max_names: names of the shelf that stay registered, at least `max_loras` of the server.
    """

    def __init__(
        self,
        shelf: AdapterShelf,
        registrar: Registrar,
        tiers: ServerTiers,
        *,
        served: Mapping[str, str] | None = None,
        max_names: int = MAX_NAMES,
    ) -> None:
        if max_names < 1:
            raise ValueError(f"max_names: got {max_names}; expected at least 1")
        self._shelf, self._registrar, self._served = shelf, registrar, dict(served or {})
        self._max_names = max_names
        self.tiers = tiers
        self._adapters: dict[str, str] = {}  # name → revision, or ZERO, of all that were asked for
        self._names: dict[str, bool] = {}  # registered, least recently used first → its folder was proved
        self._pins: Counter[str] = Counter()
        self._loading: dict[str, asyncio.Task[object]] = {}
        self._unloading: dict[str, asyncio.Task[object]] = {}
        self._warming: dict[str, asyncio.Task[object]] = {}
        self._reading = ThreadPoolExecutor(1, "plures-shelf")  # one reader at a time: stores need no more

    @property
    def registered(self) -> tuple[str, ...]:
        """Names of the shelf that the server knows, least recently used first."""
        return tuple(self._names)

    def adopt(self, listed: Mapping[str, Path]) -> None:
        """Take over what the server has registered already, from an earlier run or a process beside this one.

        Args:
            listed: name → path, as `/v1/models` gives them; names of others are left alone.
        """
        for name, path in listed.items():
            if self._shelf.owns(name, path):
                self._names.setdefault(name, False)

    def tier(self, adapter: str) -> Tier:
        """How dear it would be to serve a revision, or ZERO, now."""
        return self.tiers.tier(self._served_as(adapter))

    def near(self) -> tuple[set[str], set[str]]:
        """Revisions, or ZERO, that are in the server's slots, and in its memory."""
        hot, warm = ({self._adapters[name] for name in names} for names in (self.tiers.hot, self.tiers.warm))
        return hot, warm

    @asynccontextmanager
    async def using(self, adapter: str) -> AsyncIterator[str]:
        """The name that a revision, or ZERO, is served as; it stays registered inside the block.

        Raises:
            AdapterError: the revision cannot be opened or placed, or the server refuses it.
        """
        name = self._served_as(adapter)
        self._pins[name] += 1
        try:
            await self._bring_in(adapter, name)
            self.tiers.begin(name)
            try:
                yield name
            finally:
                self.tiers.end(name)
        finally:
            self._pins[name] -= 1
            if not self._pins[name]:
                del self._pins[name]

    async def ensure(self, adapter: str) -> str:
        """Register a revision, or ZERO, and return its name; nothing keeps it registered.

        Raises:
            AdapterError: as of `using`.
        """
        name = self._served_as(adapter)
        await self._bring_in(adapter, name)
        return name

    def prefetch(self, adapter: str) -> None:
        """Have a revision laid out on the shelf in the background, and registered too while the server has a free slot.

        Where every slot is in use, registering would take one from a request in flight, whose next step takes one
        from another, and so on through all of them (seen with vLLM 0.27.1). An error is not lost: it comes back
        when the revision is used.
        """
        name = self._served_as(adapter)
        if self._is_known(adapter, name) or name in self._warming or name in self._loading:
            return
        if self._has_free_slot() or not self._shelf.has(name):
            _go(self._warming, name, self._warm(adapter, name))

    def forget(self, name: str) -> None:
        """The server does not know a name any more; the next use registers it again."""
        self._names.pop(name, None)

    async def settle(self) -> None:
        """Return when nothing is going on in the background."""
        while pending := [*self._warming.values(), *self._loading.values(), *self._unloading.values()]:
            await asyncio.wait(pending)

    def close(self) -> None:
        """Stop reading. Names stay registered and folders stay, so that the next run finds them warm."""
        self._reading.shutdown(wait=True, cancel_futures=True)
        self._shelf.close()

    def _served_as(self, adapter: str) -> str:
        if adapter in self._served:
            name = self._served[adapter]
        else:
            name = self._shelf.zero_name if adapter == ZERO else self._shelf.name(adapter)
        self._adapters[name] = adapter
        return name

    def _is_known(self, adapter: str, name: str) -> bool:
        return adapter in self._served or self._names.get(name, False)

    async def _bring_in(self, adapter: str, name: str) -> None:
        while not self._is_known(adapter, name):
            if name in self._unloading:
                await asyncio.wait([self._unloading[name]])
            else:
                await asyncio.shield(self._loading.get(name) or _go(self._loading, name, self._load(adapter)))
        if name in self._names:
            self._names[name] = self._names.pop(name)  # now the most recently used
        self._make_room()

    async def _warm(self, adapter: str, name: str) -> None:
        if self._has_free_slot():  # asked again: requests that started at the same time are pinned by now
            await self._bring_in(adapter, name)
        elif not self._shelf.has(name):
            await self._place(adapter)

    def _has_free_slot(self) -> bool:
        return len(self._pins.keys() | self._loading.keys()) < self.tiers.max_loras

    async def _load(self, adapter: str) -> None:
        placed = await self._read(
            self._shelf.zero if adapter == ZERO else partial(self._shelf.place, adapter)
        )
        if placed.name not in self._names:
            await self._registrar.load_adapter(placed.name, placed.path)
        self._names[placed.name] = True
        self.tiers.touch(placed.name)

    def _make_room(self) -> None:
        idle = [name for name in self._names if name not in self._pins]
        for name in idle[: max(0, len(self._names) - self._max_names)]:
            del self._names[name]
            _go(self._unloading, name, self._unload(name))

    async def _unload(self, name: str) -> None:
        try:
            await self._registrar.unload_adapter(name)
        except AdapterError:
            self._names[name] = False  # it stays, as the last one used: others are tried first now
        else:
            self._shelf.retire(name)
            await self._read(
                self._shelf.sweep
            )  # of those retired earlier; a folder that resists is tried again

    async def _place(self, adapter: str) -> Placed:
        return await self._read(self._shelf.zero if adapter == ZERO else partial(self._shelf.place, adapter))

    async def _read(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, work)


def _go(
    tasks: dict[str, asyncio.Task[object]], name: str, work: Coroutine[Any, Any, object]
) -> asyncio.Task[object]:
    """Begin a piece of work that is found under its name as long as it lasts."""
    tasks[name] = task = asyncio.create_task(work)
    task.add_done_callback(lambda _: tasks.pop(name))
    task.add_done_callback(_look_at)
    return task


def _look_at(task: asyncio.Task[object]) -> None:
    """Keep asyncio from reporting an error that whoever waits for the result meets, or whoever needs it next."""
    if not task.cancelled():
        task.exception()
