"""Who acts when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.population import Population


def activation_schedule(population: Population, steps: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw, for every step and agent, whether the agent acts: independent, with the agent's activity rate.

    Quiet steps, at which nobody acts, stay: filling them would raise the rates. A longer schedule from an
    equal generator begins with the shorter one, so a run can be prolonged.

    Args:
        population: N agents.
        steps: T, at least 1.
        rng: the same for all conditions, which pairs them.

    Returns:
        Array (T, N); row t belongs to acting step t + 1, column i to agent i.
    """
    if steps < 1:
        raise ValueError(f"steps: got {steps}; expected at least 1")
    rates = np.array([agent.activity for agent in population])
    return rng.random((steps, len(population))) < rates
