"""The base that a scenario names, opened as its engine asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.scenario import Scenario

if TYPE_CHECKING:
    from adapters.bases.loader import Base


def open_scenario_base(scenario: Scenario) -> Base:
    """Open the base, its weights left for their first use, and give this process the scenario's threads.

    Raises:
        BaseModelError: for a base that cannot be loaded.
        AdapterError: for an OMP_NUM_THREADS that is no number.
    """
    from adapters.bases.loader import open_base
    from adapters.threads import use_threads

    engine = scenario.engine
    use_threads(engine.threads)
    return open_base(scenario.base, device=engine.device, dtype=engine.dtype)
