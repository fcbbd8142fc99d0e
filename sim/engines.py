"""The engine that a scenario asks for: checked before anything is trained, opened when there is something to say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.engines.protocol import Engine
from adapters.store import AdaptersFor, AdapterStore
from sim.engine_blocks import LocalEngineBlock, VllmEngineBlock
from sim.progress import Silent, Watcher
from sim.scenario import Scenario
from sim.served_engine import ServedEngine

if TYPE_CHECKING:
    from adapters.bases.loader import Base


def check_engine(scenario: Scenario, base: Base) -> None:
    """Find out whether the engine can be had, before the first expensive step.

    Raises:
        BaseModelError: for weights that do not make the model that the base's config describes, or for weights in
            int8 on a processor that cannot.
        ServerError: for a vLLM server that cannot be had, or cannot serve these adapters.
    """
    match scenario.engine:
        case LocalEngineBlock(weights=weights):
            if weights == "int8":
                from adapters.bases.quantisation import check_int8

                check_int8(base.weights.device, base.weights.dtype)
            _ = base.model
        case VllmEngineBlock():
            from sim.vllm_engines import check_server

            check_server(scenario, base)


def open_engine(
    scenario: Scenario,
    base: Base,
    store: AdapterStore,
    *,
    folder: Path | None = None,
    watcher: Watcher | None = None,
) -> Engine:
    """Make the engine ready to answer; its adapters are those of the store.

    Args:
        scenario: its `engine` block decides.
        base: as the scenario names it.
        store: where revisions are opened.
        folder: where a server of our own keeps its log and reads adapters; None for a temporary one.
        watcher: told of a server's start.

    Raises:
        As `check_engine`.
    """
    from adapters.store.tiers.reader import TieredAdapters

    adapters = TieredAdapters(AdaptersFor(base, store), warm_bytes=scenario.engine.warm_mib << 20)
    match scenario.engine:
        case LocalEngineBlock(max_slots=max_slots, token_budget=token_budget, weights=weights):
            from adapters.engines.local import LocalEngine

            if weights == "int8":
                from adapters.bases.quantisation import int8_base

                base.weights.release()
                base = int8_base(base)
            return LocalEngine(base, adapters, max_slots=max_slots, token_budget=token_budget)
        case VllmEngineBlock():
            from sim.vllm_engines import open_server

            return open_server(scenario, base, adapters, folder, watcher or Silent())


def engine_record(block: LocalEngineBlock | VllmEngineBlock, engine: Engine) -> dict[str, Any]:
    """What the manifest says of an engine that `open_engine` made of this block."""
    if isinstance(engine, ServedEngine):
        return engine.record
    import torch

    weights = block.weights if isinstance(block, LocalEngineBlock) else None
    return {"kind": "local", "weights": weights or block.dtype, "torch_threads": torch.get_num_threads()}
