"""One small run on the shipped base, shared by the tests that look at its results."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.experiment import run_experiment
from sim.run_dir import RunDir
from sim.scenario import Scenario

SMALL = Scenario.model_validate(
    {
        "name": "small",
        "corpus": {"users": 10, "posts_per_user": 14},
        "population": {"size": 8, "train_posts": 8, "held_out_posts": 3},
        "follow_graph": {"mean_degree": 3},
        "adapters": {"epochs": 1},
        "conditions": ["lora", "shared_base", "permuted", "one_for_all", "zero"],
        "seeds": [0, 1],
        "simulation": {"steps": 2, "seed_posts": 6, "feed": {"size": 3}},
    }
)


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The adapter store of `small_run`."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, small_store: Path) -> RunDir:
    """A finished run of every condition: 8 people, 2 seeds, 2 steps."""
    return run_experiment(SMALL, tmp_path_factory.mktemp("runs") / "small", store=small_store)
