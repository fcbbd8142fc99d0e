"""A server for every test: a fake one, or for the tests marked `vllm` a real one for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bases.loader import Base, load_base
from adapters.engines.vllm.server.environment import environment_folder, open_environment
from adapters.engines.vllm.server.server import Server, start_server
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.errors import ServerError
from tests.adapters.engines.vllm.fake_server import FakeServer

SETTINGS = ServerSettings(base="tiny-moe", max_loras=64, context=1024)
"""What the live tests' server is started with."""


@pytest.fixture(scope="package")
def own_base(tiny_random_folder: Path) -> Base:
    """The fake servers' own base: an engine of the test attaches adapters to another one."""
    return load_base(tiny_random_folder)


@pytest.fixture
def server(own_base: Base) -> Iterator[FakeServer]:
    """A fake server, with no adapter loaded."""
    with FakeServer(own_base) as server:
        yield server


@pytest.fixture(scope="session")
def vllm_environment() -> Path:
    """The vLLM environment's folder; skips where there is none."""
    try:
        return open_environment(environment_folder()).path
    except ServerError as error:
        pytest.skip(f"{error} (`make test-vllm` does it all)")


@pytest.fixture(scope="session")
def live_server(vllm_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server of the tiny base, 64 slots, float32; it ends with the session, also with a session that dies."""
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    with start_server(SETTINGS, vllm_environment, log=log) as server:
        yield server
    assert server.record.process.group() == [], "processes of the server outlived it"
