"""Whether a base can be served as asked, and what memory that takes: answered before anything is started."""

from __future__ import annotations

from adapters.engines.vllm.server.served_base import ServedBase, item_bytes
from adapters.engines.vllm.server.settings import EXPERT_MULTIPLE, GIB, ServerSettings
from adapters.errors import ServerError

_PROCESS_BYTES = 2 * GIB
"""Memory of vLLM's processes themselves on a CPU: measured 1.5 GiB beside weights, slots and cache (0.27)."""


def check_fit(settings: ServerSettings, base: ServedBase) -> None:
    """Refuse what the base cannot be served with, before anything is started.

    Raises:
        ServerError: for targets that the base lacks, a context that it does not take, or experts of a size that
            vLLM cannot run on a CPU.
    """
    if missing := [target for target in settings.targets if target not in base.widths]:
        raise ServerError(
            f"targets: {base.name} has no linear called {', '.join(missing)}; "
            f"it has {', '.join(sorted(base.widths))}"
        )
    if settings.context is not None and settings.context > base.context:
        raise ServerError(
            f"context: got {settings.context}; {base.name} takes up to {base.context} tokens. "
            f"Leave the option out for all of them."
        )
    odd = [width for width in base.expert_widths if width % EXPERT_MULTIPLE]
    if settings.device == "cpu" and odd:
        raise ServerError(
            f"{base.name}: experts of width {', '.join(map(str, odd))}; vLLM's CPU kernels "
            f"take multiples of {EXPERT_MULTIPLE} only. Use the local engine for this base."
        )


class Memory(dict[str, int]):
    """Bytes by what they are for: weights, slots, adapters in the server's memory, attention cache."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.values())


def memory_needed(settings: ServerSettings, base: ServedBase) -> Memory:
    """What the server will take, as far as it follows from the settings; the process itself comes on top."""
    size = item_bytes(settings.dtype)
    slot = base.slot_bytes(settings.targets, settings.max_lora_rank, size)
    return Memory(
        weights=base.parameters * size,
        slots=settings.max_loras * slot,
        adapters=settings.warm_adapters * slot,
        cache=round((settings.kv_cache_gib or 0) * GIB),
    )


def check_memory(settings: ServerSettings, base: ServedBase) -> None:
    """Refuse what the machine's free memory cannot hold; a GPU's memory is vLLM's own to check.

    Raises:
        ServerError: with what is needed for what, and what is free.
    """
    import psutil

    needed, free = memory_needed(settings, base), psutil.virtual_memory().available
    if settings.device == "cpu" and needed.total + _PROCESS_BYTES > free:
        parts = ", ".join(f"{what} {size / GIB:.1f}" for what, size in needed.items())
        raise ServerError(
            f"memory: {base.name} needs about {(needed.total + _PROCESS_BYTES) / GIB:.1f} GiB ({parts}, the process "
            f"itself {_PROCESS_BYTES / GIB:.1f}), {free / GIB:.1f} are free. "
            f"Lower max_loras, max_cpu_loras or kv_cache_gib."
        )
