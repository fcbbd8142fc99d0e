"""A vLLM engine over the fake server, as tests need it: without long waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from adapters.bases.loader import Base, load_base
from adapters.engines.residency import AdapterReader
from adapters.engines.vllm.client.backoff import Backoff
from adapters.engines.vllm.client.client import Endpoint
from adapters.engines.vllm.engine import VllmEngine
from adapters.engines.vllm.residency.shelf import AdapterShelf
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from tests.adapters.engines.vllm.fake_server import FakeServer

QUICK = Backoff(attempts=3, first=0.01, longest=0.02)


def endpoint(server: FakeServer, **changes: Any) -> Endpoint:
    """The fake server, asked with little patience."""
    given: dict[str, Any] = {"timeout": 20.0, "backoff": QUICK, "api_key": server.api_key, **changes}
    return Endpoint(server.url, **given)


def open_engine(
    base: Base,
    at: Endpoint,
    adapters: AdapterReader,
    folder: Path,
    *,
    spec: LoraSpec | None = None,
    **changes: Any,
) -> VllmEngine:
    """An engine whose adapters lie in a folder of the test's."""
    shelf = AdapterShelf(folder, adapters, zero=zero_adapter(base.skeleton, spec or LoraSpec()))
    return VllmEngine(base, at, shelf, rng=np.random.default_rng(0), **changes)


class ServedEngine(VllmEngine):
    """An engine with a fake server of its own, which ends with it."""

    def __init__(self, base: Base, adapters: AdapterReader, folder: Path, **changes: Any) -> None:
        self.server = FakeServer(load_base(base.path))
        shelf = AdapterShelf(folder, adapters, zero=zero_adapter(base.skeleton, LoraSpec()))
        super().__init__(base, endpoint(self.server), shelf, rng=np.random.default_rng(0), **changes)

    def close(self) -> None:
        """Close both."""
        super().close()
        self.server.close()


@contextmanager
def served(base: Base, **changes: Any) -> Iterator[FakeServer]:
    """A fake server of the same base files."""
    with FakeServer(load_base(base.path), **changes) as server:
        yield server
