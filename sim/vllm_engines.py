"""The engine on vLLM as a scenario asks for it: servers that run already, or one that is started and stopped here."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from adapters.engines.protocol import Engine
from adapters.engines.residency import AdapterReader
from adapters.errors import ServerError, UnknownAdapterError
from sim.engine_blocks import VllmEngineBlock
from sim.progress import Watcher
from sim.rng import generator
from sim.scenario import Scenario
from sim.served_engine import ServedEngine

if TYPE_CHECKING:
    from adapters.bases.loader import Base
    from adapters.engines.vllm.engine import VllmEngine
    from adapters.engines.vllm.server.environment import VllmEnvironment
    from adapters.engines.vllm.server.record import ServerRecord
    from adapters.engines.vllm.server.server import Server
    from adapters.engines.vllm.server.settings import ServerSettings
    from adapters.engines.vllm.speech import Speech
    from adapters.lora.adapter import Adapter

ZERO_NAME = "zero"
"""Under `engine.adapters: loaded`, what the adapter that stands for the bare base is called on the server."""

_REVISION = re.compile(r"[0-9a-f]{64}")
_START_SECONDS = 40
"""Length of the progress bar of a start: what a small base takes on two cores."""


class _Place(NamedTuple):
    """One server, and the folder through which it gets adapters."""

    url: str
    api_key: str | None
    folder: Path
    server_folder: Path | None = None
    record: ServerRecord | None = None  # of a server of our own; what another one can hold, nobody tells


def check_server(scenario: Scenario, base: Base) -> None:
    """Find out whether the servers answer, serve this base and take adapters of this shape, or can be started.

    Raises:
        ServerError: they do not or cannot; says how to mend it.
        AdapterError: the adapters' rank or targets do not fit them.
    """
    block = _block(scenario)
    if not block.servers:
        from adapters.engines.vllm.server.fitting import check_fit
        from adapters.engines.vllm.server.served_base import read_served_base

        check_fit(_settings(scenario, _environment()), read_served_base(scenario.base))
    for url in block.servers:
        with ExitStack() as stack:
            place = _running(block, url, stack)
            stack.enter_context(closing(_connected(scenario, base, _Nothing(url), place)))


def open_server(
    scenario: Scenario, base: Base, adapters: AdapterReader, folder: Path | None, watcher: Watcher
) -> ServedEngine:
    """Connect to the scenario's servers, or start one.

    Args:
        scenario: with `engine.kind: vllm`.
        base: that they serve; its weights are let go before a server of our own takes memory for them.
        adapters: where revisions are opened.
        folder: for a server of our own: its log, and the adapters that it reads; None for a temporary one.
        watcher: told of its start.

    Raises:
        As `check_server`.
    """
    block = _block(scenario)
    with ExitStack() as stack:
        if block.servers:
            places = [_running(block, url, stack) for url in block.servers]
            version, log = _version(block.servers[0]), None
        else:
            shared = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plures-vllm-")))
            served = stack.enter_context(tempfile.TemporaryDirectory(prefix="adapters-", dir=shared))
            base.weights.release()
            server = _started(scenario, shared / "server.log", watcher)
            stack.callback(server.stop)
            places = [_Place(server.url, server.api_key, Path(served), record=server.record)]
            version, log = server.record.version, server.log
        engine = _joined(scenario, base, adapters, places, stack)
        record = {
            "kind": block.kind,
            "urls": list(block.servers),
            "version": version,
            "max_loras": block.max_loras,
        }
        return ServedEngine(engine, record, stack.pop_all(), log)


class _Nothing:
    """In place of a store, where a server has to hold every adapter already.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self, revision: str) -> Adapter:
        """Refuse.

        Raises:
            UnknownAdapterError: always.
        """
        raise UnknownAdapterError(
            f"{self._url}: serves no adapter called {revision}. Load it there under this name, or set "
            "engine.adapters: load"
        )


def _block(scenario: Scenario) -> VllmEngineBlock:
    assert isinstance(scenario.engine, VllmEngineBlock)
    return scenario.engine


def _running(block: VllmEngineBlock, url: str, stack: ExitStack) -> _Place:
    """A server that somebody else started."""
    key = None
    if block.api_key_env is not None:
        key = os.environ.get(block.api_key_env)
        if not key:
            raise ServerError(
                f"engine.api_key_env: {block.api_key_env} is not set in this process's environment; set it to the "
                f"key of {url}"
            )
    folder = block.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="plures-vllm-")))
    return _Place(url, key, folder, block.server_folder)


def _environment() -> VllmEnvironment:
    from adapters.engines.vllm.server.environment import environment_folder, open_environment

    return open_environment(environment_folder())


def _settings(scenario: Scenario, found: VllmEnvironment) -> ServerSettings:
    from adapters.engines.vllm.server.settings import ServerSettings

    block, adapters = _block(scenario), scenario.adapters
    return ServerSettings.for_device(
        found.device,
        base=scenario.base,
        dtype=block.dtype,
        rank=adapters.rank,
        targets=adapters.targets,
        max_loras=block.max_loras,
        max_cpu_loras=block.max_cpu_loras,
        max_sequences=block.requests,
        context=block.context,
        kv_cache_gib=block.kv_cache_gib,
        threads=block.threads,
        tool_parser=block.tool_parser if scenario.simulation.policy == "tool_calling" else None,
    )


def _started(scenario: Scenario, log: Path, watcher: Watcher) -> Server:
    from adapters.engines.vllm.server.server import start_server

    found, task = _environment(), "starting vLLM"
    watcher.begin(task, _START_SECONDS)
    server = start_server(
        _settings(scenario, found),
        found.path,
        log=log,
        on_progress=lambda seconds, _: watcher.advance(task, min(int(seconds), _START_SECONDS - 1)),
    )
    watcher.advance(task, _START_SECONDS)
    return server


def _joined(
    scenario: Scenario, base: Base, adapters: AdapterReader, places: Sequence[_Place], stack: ExitStack
) -> Engine:
    """One engine for all servers; closed with `stack`."""
    loads = _block(scenario).adapters == "load"
    engines: dict[str, Engine] = {}
    for place in places:
        engine = _connected(scenario, base, adapters if loads else _Nothing(place.url), place)
        engines[place.url] = stack.enter_context(closing(engine))
    if len(engines) == 1:
        return engines[places[0].url]
    from adapters.engines.replicas import ReplicatedEngine

    return stack.enter_context(closing(ReplicatedEngine(engines)))


def _connected(scenario: Scenario, base: Base, adapters: AdapterReader, place: _Place) -> VllmEngine:
    """The engine of one server, after it has shown that it is the right one."""
    from adapters.engines.vllm.client.client import Endpoint
    from adapters.engines.vllm.engine import VllmEngine
    from adapters.engines.vllm.residency.shelf import ANYTHING, AdapterShelf, Carries
    from adapters.lora.zero import zero_adapter

    block = _block(scenario)
    zero = zero_adapter(base.skeleton, scenario.adapters.spec)
    own = place.record
    carries = ANYTHING if own is None else Carries(own.max_lora_rank, own.targets)
    return VllmEngine(
        base,
        Endpoint(place.url, place.api_key, block.timeout, block.requests),
        AdapterShelf(place.folder, adapters, zero=zero, server_folder=place.server_folder, carries=carries),
        max_loras=block.max_loras,
        max_cpu_loras=block.max_cpu_loras,
        served=_loaded(place) if block.adapters == "loaded" else None,
        speech=_speech(scenario),
        rng=generator(0, "waits between attempts"),
    )


def _speech(scenario: Scenario) -> Callable[[Base, int], Speech]:
    """How requests are put under the scenario's policy."""
    match scenario.simulation.policy:
        case "structured":
            from adapters.engines.vllm.tokens import TokenSpeech

            return TokenSpeech
        case "tool_calling":
            from sim.tool_calling.speech import ToolSpeech

            return partial(ToolSpeech, actions=scenario.simulation.actions)


def _loaded(place: _Place) -> Mapping[str, str]:
    """Revision, or the stand-in for the bare base → name, of adapters that a server holds already.

    Raises:
        ServerError: it has no stand-in for the bare base, or does not answer.
    """
    from adapters.engines.vllm.residency.residency import ZERO
    from adapters.engines.vllm.server.probe import served_models

    names = served_models(place.url, place.api_key or "").adapters
    if ZERO_NAME not in names:
        raise ServerError(
            f"{place.url}: serves no adapter called {ZERO_NAME}, which stands for the bare base. Load one without "
            "effect under this name, or set engine.adapters: load"
        )
    return {name: name for name in names if _REVISION.fullmatch(name)} | {ZERO: ZERO_NAME}


def _version(url: str) -> str | None:
    """vLLM's version; None where something between hides it."""
    import httpx

    try:
        return str(httpx.get(f"{url}/version", timeout=10, trust_env=False).json()["version"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
