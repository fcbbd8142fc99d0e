"""Loads for a vLLM server with few slots: how they are made up, and how they are answered."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from adapters.bases.loader import Base
from adapters.engines.protocol import Sampling
from adapters.engines.vllm.client.bodies import generation
from adapters.engines.vllm.client.client import Endpoint, VllmClient
from adapters.engines.vllm.residency.admission import Admission
from adapters.engines.vllm.residency.residency import ServerResidency
from adapters.engines.vllm.residency.shelf import AdapterShelf
from adapters.engines.vllm.residency.tiers import ServerTiers
from adapters.engines.vllm.server.server import Server, start_server
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter

PROMPT_TOKENS = 16
ZIPF = 1.0
MAX_SEQUENCES = 256


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests of `new_tokens` each, dealt out to `adapters` in turn and offered at once."""

    adapters: int
    requests: int
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests by Zipf's law, `outstanding` at a time; replies of half to one and a half times `new_tokens`."""

    adapters: int
    requests: int
    outstanding: int
    new_tokens: int


class Asked(NamedTuple):
    """One request of a load."""

    adapter: str
    prompt: tuple[int, ...]
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run of a load gave: seconds in all, and by request its wait in seconds and its tokens."""

    asked: Sequence[Asked]
    took: float
    waits: Sequence[float]
    tokens: Sequence[tuple[int, ...]]

    @property
    def speed(self) -> float:
        """Tokens per second."""
        return sum(map(len, self.tokens)) / self.took

    @property
    def by_adapter(self) -> list[float]:
        """Each adapter's mean wait."""
        waits: dict[str, list[float]] = {}
        for asked, wait in zip(self.asked, self.waits, strict=True):
            waits.setdefault(asked.adapter, []).append(wait)
        return [float(np.mean(own)) for own in waits.values()]

    @property
    def unevenness(self) -> float:
        """The longest wait of any request over the median wait."""
        return max(self.waits) / float(np.median(self.waits))


class Bench:
    """A running server with every adapter registered."""

    def __init__(
        self, server: Server, slots: int, base: Base, adapters: Mapping[str, Adapter], folder: Path
    ) -> None:
        self._slots, self._vocabulary = slots, base.vocabulary
        endpoint = Endpoint(server.url, server.api_key, requests=512)
        self._client = VllmClient(endpoint, np.random.default_rng(0))
        self._tiers = ServerTiers(slots, len(adapters))
        shelf = AdapterShelf(
            folder / "shelf", _InMemory(adapters), zero=zero_adapter(base.skeleton, LoraSpec())
        )
        self._residency = ServerResidency(shelf, self._client, self._tiers)
        self._names = list(adapters)
        self._loop = asyncio.Runner()
        for name in adapters:
            self._loop.run(self._residency.ensure(name))

    def close(self) -> None:
        """End the connections."""
        self._loop.run(self._residency.settle())
        self._loop.run(self._client.close())
        self._loop.close()
        self._residency.close()

    def dealt(self, batch: Batch, rng: np.random.Generator) -> list[Asked]:
        """The requests of a batch."""
        return [self._asked(i % batch.adapters, batch.new_tokens, rng) for i in range(batch.requests)]

    def drawn(self, stream: Stream, rng: np.random.Generator) -> list[Asked]:
        """The requests of a stream, in order."""
        weights = 1 / np.arange(1, stream.adapters + 1) ** ZIPF
        order = rng.choice(stream.adapters, stream.requests, p=weights / weights.sum())
        lengths = rng.integers(
            math.ceil(stream.new_tokens / 2), stream.new_tokens * 3 // 2 + 1, stream.requests
        )
        return [self._asked(int(place), int(n), rng) for place, n in zip(order, lengths, strict=True)]

    def run(self, asked: Sequence[Asked], outstanding: int, *, admission: bool) -> Answered:
        """Have a load answered; one request follows another as soon as fewer than `outstanding` are there."""
        line = (
            Admission(self._slots, near=self._residency.near)
            if admission
            else Admission(len(self._names), patience=math.inf)
        )
        return self._loop.run(self._answers(asked, outstanding, line))

    async def _answers(self, asked: Sequence[Asked], outstanding: int, line: Admission) -> Answered:
        offered: list[float] = []
        waits: dict[int, float] = {}
        tokens: dict[int, tuple[int, ...]] = {}

        async def ask(i: int) -> None:
            async with self._residency.using(asked[i].adapter) as name:
                sampling = Sampling(asked[i].new_tokens, temperature=0)
                body = generation(name, asked[i].prompt, sampling, frozenset(), None)
                tokens[i] = tuple((await self._client.complete(body)).choices[0].token_ids)
            waits[i] = time.perf_counter() - offered[i]

        running: dict[asyncio.Task[None], int] = {}
        began = time.perf_counter()
        while len(waits) < len(asked):
            while len(offered) < min(len(asked), outstanding + len(waits)):
                line.offer(len(offered), asked[len(offered)].adapter)
                offered.append(time.perf_counter())
            running |= {asyncio.create_task(ask(i)): i for i in line.start()}
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                line.finish(running.pop(task))
                task.result()
        took = time.perf_counter() - began
        order = range(len(asked))
        return Answered(asked, took, [waits[i] for i in order], [tokens[i] for i in order])

    def _asked(self, adapter: int, new_tokens: int, rng: np.random.Generator) -> Asked:
        return Asked(
            self._names[adapter], tuple(rng.integers(0, self._vocabulary, PROMPT_TOKENS).tolist()), new_tokens
        )


class _InMemory:
    """Adapters by name."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        self._adapters = adapters

    def open(self, revision: str) -> Adapter:
        """The adapter of that name."""
        return self._adapters[revision]


@contextmanager
def served(
    slots: int, base: Base, adapters: Mapping[str, Adapter], env: Path, folder: Path, **settings: Any
) -> Iterator[Bench]:
    """A server with this many slots, all adapters registered, in its memory and used once.

    Args:
        settings: of `ServerSettings`, in place of those that these loads need.

    Raises:
        ServerError: it cannot be started.
    """
    usual = {
        "base": str(base.path),
        "max_loras": slots,
        "max_cpu_loras": max(slots, len(adapters)),
        "max_sequences": MAX_SEQUENCES,
        "context": base.longest,
    }
    with start_server(ServerSettings(**{**usual, **settings}), env, log=folder / f"{slots}.log") as server:
        bench = Bench(server, slots, base, adapters, folder)
        try:
            warm_up = bench.dealt(Batch(len(adapters), min(len(adapters), 64), 2), np.random.default_rng(0))
            bench.run(warm_up, len(warm_up), admission=True)
            yield bench
        finally:
            bench.close()


def random_adapters(base: Base, count: int) -> dict[str, Adapter]:
    """Adapters that change what the base says."""
    rng = np.random.default_rng(0)
    blank = zero_adapter(base.skeleton, LoraSpec())

    def filled(shape: torch.Size) -> torch.Tensor:
        return torch.from_numpy(rng.normal(0, 0.05, shape)).float()

    return {
        f"user-{i}": Adapter(
            blank.spec,
            {path: LoraPair(filled(A.shape), filled(B.shape)) for path, (A, B) in blank.pairs.items()},
        )
        for i in range(count)
    }
