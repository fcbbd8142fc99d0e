"""Opening a scenario's base also gives the process the scenario's threads."""

from __future__ import annotations

import pytest
import torch

from sim.scenario import Scenario
from sim.scenario_base import open_scenario_base


@pytest.mark.parametrize(("threads", "expected"), [(None, 2), (3, 3)])
def test_the_base_comes_with_the_threads_asked_for(
    monkeypatch: pytest.MonkeyPatch, threads: int | None, expected: int
) -> None:
    told: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    scenario = Scenario.model_validate({"name": "a", "engine": {"threads": threads}})
    base = open_scenario_base(scenario)
    assert base.name == scenario.base
    assert told == [expected]
