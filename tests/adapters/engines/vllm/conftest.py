"""A vLLM server of the tiny base for the tests marked `vllm`, one for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.engines.vllm.server.environment import environment_folder, open_environment
from adapters.engines.vllm.server.server import Server, start_server
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.errors import ServerError

SETTINGS = ServerSettings(base="tiny-moe", max_loras=64, context=1024)
"""What the live tests' server is started with."""


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
