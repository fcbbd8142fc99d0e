"""One cell of the experiment grid: a condition at a size under a seed."""

from __future__ import annotations

from dataclasses import dataclass

from agents.bindings import Condition
from sim.scenario import Scenario


@dataclass(frozen=True, slots=True, order=True)
class CellKey:
    """Names a cell; `id` is its folder."""

    size: int
    seed: int
    condition: Condition

    @property
    def id(self) -> str:
        """`lora-n64-s0`."""
        return f"{self.condition}-n{self.size}-s{self.seed}"


def grid(scenario: Scenario) -> list[CellKey]:
    """Every cell, in the order in which they run: conditions of one size and seed stand together."""
    return [
        CellKey(size, seed, condition)
        for size in scenario.population.size
        for seed in scenario.seeds
        for condition in scenario.conditions
    ]
