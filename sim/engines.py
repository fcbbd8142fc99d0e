"""The engine that a scenario asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.engines.protocol import Engine
from adapters.store import AdaptersFor, AdapterStore
from sim.scenario import Scenario

if TYPE_CHECKING:
    from adapters.bases.loader import Base


def open_engine(scenario: Scenario, base: Base, store: AdapterStore) -> Engine:
    """Make the engine ready to answer; its adapters are those of the store.

    Args:
        scenario: its `engine` block decides.
        base: as the scenario names it.
        store: where revisions are opened.
    """
    from adapters.engines.local import LocalEngine
    from adapters.store.tiers.reader import TieredAdapters

    block = scenario.engine
    adapters = TieredAdapters(AdaptersFor(base, store), warm_bytes=block.warm_mib << 20)
    return LocalEngine(base, adapters, max_slots=block.max_slots, token_budget=block.token_budget)
