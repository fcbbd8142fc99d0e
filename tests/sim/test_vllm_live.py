"""The same scenario in this process and on a real vLLM server that the run starts itself (marker `vllm`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adapters.engines.vllm.server.environment import environment_folder, open_environment
from adapters.errors import ServerError
from sim.experiment import run_experiment
from sim.run_dir import RunDir
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from tests.sim.conftest import SMALL

pytestmark = pytest.mark.vllm

GREEDY = Scenario.model_validate(
    {
        **as_plain(SMALL),
        "name": "live",
        "conditions": ["lora", "shared_base"],
        "seeds": [0],
        "simulation": {"steps": 2, "seed_posts": 6, "feed": {"size": 3}, "sampling": {"temperature": 0}},
    }
)
VLLM = {"kind": "vllm", "max_loras": 4, "context": 1024}


@pytest.fixture(scope="module", autouse=True)
def _environment() -> None:
    try:
        open_environment(environment_folder())
    except ServerError as error:
        pytest.skip(f"{error} (`make test-vllm` does it all)")


def ledger(run: RunDir) -> pd.DataFrame:
    return pd.concat([cell.ledger.read().assign(cell=cell.key.id) for cell in run.cells()], ignore_index=True)


def test_greedy_decisions_are_the_same_here_and_there(small_store: Path, tmp_path: Path) -> None:
    """Eight people over four slots: replies, actions and what came of them, under adapters and the base."""
    here = ledger(run_experiment(GREEDY, tmp_path / "local", store=small_store))
    scenario = Scenario.model_validate({**as_plain(GREEDY), "engine": VLLM})
    run = run_experiment(scenario, tmp_path / "vllm", store=small_store)
    there = ledger(run)
    pd.testing.assert_frame_equal(here.drop(columns="logprob"), there.drop(columns="logprob"))
    tokens = here["reply_tokens"].str.len()
    assert (np.abs(here["logprob"] - there["logprob"]) <= 1e-4 * tokens).all()
    assert run.manifest["engine"]["version"]
    assert not list(run.path.glob("adapters-*"))


def test_agents_are_bound_to_their_adapters_and_their_failures_are_rows(
    small_store: Path, tmp_path: Path
) -> None:
    """The tiny base cannot call tools: every agent says so in the ledger, and none as a fault of the engine."""
    calling = {
        **as_plain(GREEDY),
        "population": {**as_plain(GREEDY)["population"], "size": 4},
        "follow_graph": {"mean_degree": 1},
        "conditions": ["lora"],
        "simulation": {
            "steps": 2,
            "seed_posts": 4,
            "feed": {"size": 3},
            "policy": "tool_calling",
            "sampling": {"max_new_tokens": 16},
        },
        "engine": {**VLLM, "context": 2048},
    }
    run = run_experiment(Scenario.model_validate(calling), tmp_path / "run", store=small_store)
    rows = ledger(run)
    assert rows["adapter"].nunique() == rows["agent_id"].nunique()
    assert rows.groupby("agent_id")["adapter"].nunique().eq(1).all()
    assert set(rows["outcome"]) <= {"no_tool_call", "truncated", "done"}
    assert set(rows["outcome"]) & {"no_tool_call", "truncated"}
    assert (rows["reply_tokens"].str.len() > 0).all()
