"""What a vLLM server holds, as far as we can know: a model of its two caches of adapters.

vLLM has no figure for it: `vllm:lora_requests_info` tells who is running or waiting, not who is in a slot.
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum


class Tier(IntEnum):
    """How far an adapter is from the next forward pass; the order is that of cost."""

    HOT = 0  # in a slot
    WARM = 1  # in the server's memory, copied into a slot when a request needs it
    COLD = 2  # on disk, read when it is registered or when a request needs it


class ServerTiers:
    """The slots and the memory of a server, in the order in which adapters will leave them.

    Both are caches that drop the least recently used. Registering an adapter reads it and puts it into a slot at once;
    each step of the engine touches the adapters of its batch and brings in those that are missing; to leave the
    memory is to leave the slots. An adapter with requests in flight is touched at every step, so it counts as used now
    until its last request ends. Taking a name back (`/v1/unload_lora_adapter`) frees nothing.

    Args:
        max_loras: slots, at least 1.
        max_cpu_loras: adapters in the server's memory, at least `max_loras`: those in slots are among them.

    Raises:
        ValueError: for a number out of range.

    Source: vLLM 0.27.1, `vllm/lora/worker_manager.py` (LRUCacheWorkerLoRAManager) and `vllm/lora/model_manager.py`
    (LRUCacheLoRAModelManager); checked against a running server by
    tests/adapters/engines/vllm/residency/test_residency_live.py.
    """

    def __init__(self, max_loras: int, max_cpu_loras: int) -> None:
        if not 1 <= max_loras <= max_cpu_loras:
            raise ValueError(
                f"max_loras, max_cpu_loras: got {max_loras}, {max_cpu_loras}; expected 1 <= max_loras <= max_cpu_loras"
            )
        self.max_loras, self._max_cpu_loras = max_loras, max_cpu_loras
        self._slots: dict[str, None] = {}  # both least recently used first
        self._memory: dict[str, None] = {}
        self._running: Counter[str] = Counter()

    @property
    def hot(self) -> tuple[str, ...]:
        """Names in slots, the next to leave first."""
        return tuple(sorted(self._slots, key=self._is_running))

    @property
    def warm(self) -> tuple[str, ...]:
        """Names in the server's memory, those in slots included, the next to leave first."""
        return tuple(sorted(self._memory, key=self._is_running))

    def tier(self, name: str) -> Tier:
        """Where a name is."""
        if name in self._slots:
            return Tier.HOT
        return Tier.WARM if name in self._memory else Tier.COLD

    def touch(self, name: str) -> None:
        """A name was registered, or a step has used it."""
        if name not in self._memory and len(self._memory) == self._max_cpu_loras:
            oldest = self._oldest(self._memory)
            del self._memory[oldest]
            self._slots.pop(oldest, None)
        _to_end(self._memory, name)
        if name not in self._slots and len(self._slots) == self.max_loras:
            oldest = self._oldest(self._slots)
            if oldest in self._running and name not in self._running:
                return  # it had a slot for a moment: the next step gave it back
            del self._slots[oldest]
        _to_end(self._slots, name)

    def begin(self, name: str) -> None:
        """A request of this name goes to the server."""
        self._running[name] += 1
        self.touch(name)

    def end(self, name: str) -> None:
        """A request of this name is over."""
        self._running[name] -= 1
        if not self._running[name]:
            del self._running[name]
        self.touch(name)

    def _oldest(self, order: dict[str, None]) -> str:
        return next((name for name in order if name not in self._running), next(iter(order)))

    def _is_running(self, name: str) -> bool:
        return name in self._running


def _to_end(order: dict[str, None], name: str) -> None:
    order.pop(name, None)
    order[name] = None
