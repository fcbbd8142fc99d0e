"""How a vLLM server is to run: one frozen record, checked when it is made."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from adapters.errors import ServerError
from adapters.lora.spec import ATTENTION_TARGETS

Device = Literal["cpu", "cuda"]

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` takes; an adapter is padded to it (vLLM 0.27)."""

EXPERT_MULTIPLE = 32
"""Hidden sizes that vLLM's CPU kernels take for a mixture of experts are multiples of this (0.27). Without AMX it
falls back on a loop over the experts, with AMX it stops; we rely on neither."""

DTYPES = ("float32", "bfloat16", "float16")
GIB = 1 << 30
_WARM_PER_SLOT = 4


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One vLLM server; the defaults suit a laptop's CPU. `for_device` gives those of a GPU.

    Args:
        base: profile name, model folder, or hub id in the local cache.
        device: `cpu` or `cuda`.
        dtype: of weights and adapters: `float32`, `bfloat16` or `float16`. bfloat16 is about 5 times slower
            than float32 on a CPU without native support.
        rank: largest rank of an adapter, 1 to 512; memory is taken for the next of `LORA_RANKS`.
        targets: linears that adapters may change. Needed with a mixture of experts, where vLLM would otherwise
            reserve slots for every expert.
        max_loras: slots, that is, distinct adapters in one batch, at least 1.
        max_cpu_loras: adapters held in the server's memory, at least `max_loras`; None for 4 per slot.
        max_sequences: requests decoded together, at least 1.
        max_batched_tokens: tokens of one forward pass, at least 1; on a CPU, where prompts are not read in parts, no
            fewer than the context.
        context: most tokens of prompt and reply; None for all that the base takes.
        kv_cache_gib: memory of the attention cache in GiB; None lets vLLM take `memory_share` of the device.
        memory_share: of the GPU's memory, in (0, 1]; read on `cuda` only.
        threads: OpenMP threads, not bound to cores; None binds one to every core. Read on `cpu` only.
        tensor_parallel: GPUs that share one copy of the base, at least 1.
        seed: of the server; each request brings its own besides.
        tool_parser: vLLM's parser of tool calls, such as `hermes`; None for a server without tool calls.
        extra: more of vLLM's own flags, given as they are; none that is set here already.

    Raises:
        ServerError: for a value out of range, naming it.
    """

    base: str = "tiny-moe"
    device: Device = "cpu"
    dtype: str = "float32"
    rank: int = 4
    targets: tuple[str, ...] = ATTENTION_TARGETS
    max_loras: int = 64
    max_cpu_loras: int | None = None
    max_sequences: int = 128
    max_batched_tokens: int = 1024
    context: int | None = None
    kv_cache_gib: float | None = 1.0
    memory_share: float = 0.9
    threads: int | None = None
    tensor_parallel: int = 1
    seed: int = 0
    tool_parser: str | None = None
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _one_of("device", self.device, ("cpu", "cuda"))
        _one_of("dtype", self.dtype, DTYPES)
        _within("rank", self.rank, 1, LORA_RANKS[-1])
        for name in ("max_loras", "max_sequences", "max_batched_tokens", "tensor_parallel"):
            _within(name, getattr(self, name), 1)
        for name, least in (("max_cpu_loras", self.max_loras), ("context", 1), ("threads", 1)):
            if (value := getattr(self, name)) is not None:
                _within(name, value, least)
        if self.kv_cache_gib is not None and not self.kv_cache_gib > 0:
            raise ServerError(f"kv_cache_gib: got {self.kv_cache_gib}; expected a number above 0")
        if not 0 < self.memory_share <= 1:
            raise ServerError(f"memory_share: got {self.memory_share}; expected a number in (0, 1]")
        if not self.targets or len(set(self.targets)) != len(self.targets):
            raise ServerError(
                f"targets: got {self.targets}; expected distinct names like {ATTENTION_TARGETS}"
            )

    @classmethod
    def for_device(cls, device: Device, **changes: Any) -> ServerSettings:
        """The defaults of a device with some changed; a change of None keeps the default.

        Raises:
            ServerError: for an unknown name or a value out of range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(changes.keys() - known):
            raise ServerError(f"{', '.join(unknown)}: no such setting; expected {', '.join(sorted(known))}")
        given = {name: value for name, value in changes.items() if value is not None}
        return cls(device=device, **{**_OTHERWISE.get(device, {}), **given})

    @property
    def max_lora_rank(self) -> int:
        """The smallest rank that vLLM offers and that holds `rank`."""
        return next(offered for offered in LORA_RANKS if offered >= self.rank)

    @property
    def warm_adapters(self) -> int:
        """Adapters in the server's own memory, those in slots included."""
        return self.max_cpu_loras or _WARM_PER_SLOT * self.max_loras


_OTHERWISE: Mapping[str, Mapping[str, Any]] = {
    "cuda": {
        "dtype": "bfloat16",
        "max_sequences": 256,
        "max_batched_tokens": 8192,
        "kv_cache_gib": None,
    },
}


def _one_of(name: str, value: str, offered: tuple[str, ...]) -> None:
    if value not in offered:
        raise ServerError(f"{name}: got {value!r}; expected one of {', '.join(offered)}")


def _within(name: str, value: int, least: int, most: int = sys.maxsize) -> None:
    if not least <= value <= most:
        upper = "" if most == sys.maxsize else f" to {most}"
        raise ServerError(f"{name}: got {value}; expected a whole number from {least}{upper}")
