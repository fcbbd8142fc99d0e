"""What a scenario will ask of its base, counted beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from sim.errors import ScenarioError
from sim.preparation import Prepared, check, prepare
from sim.run_dir import RunDir
from sim.scenario import Scenario
from sim.workload import observations
from tests.sim.conftest import SMALL


def changed(block: str, **values: Any) -> Scenario:
    plain = SMALL.model_dump()
    return Scenario.model_validate({**plain, block: {**plain[block], **values}})


@pytest.fixture(scope="module")
def ready() -> Prepared:
    return prepare(SMALL)


def test_every_decision_of_the_run_was_counted(ready: Prepared, small_run: RunDir) -> None:
    assert ready.workload is not None
    assert ready.workload.requests == sum(len(cell.ledger.read()) for cell in small_run.cells())


def test_prompts_are_about_as_long_as_those_of_the_run(ready: Prepared, small_run: RunDir) -> None:
    assert ready.workload is not None
    lengths = [cell.ledger.read()["prompt_tokens"].mean() for cell in small_run.cells()]
    assert ready.workload.prompts.mean == pytest.approx(sum(lengths) / len(lengths), rel=0.35)
    assert ready.workload.prompts.mean <= ready.workload.prompts.longest


def test_feeds_are_full_and_start_at_different_posts(ready: Prepared) -> None:
    world = ready.worlds[8, 0]
    seen = observations(SMALL, world, world.population.agents)
    assert {len(o.feed) for o in seen} == {3}
    assert len({o.feed[0].post_id for o in seen}) == 6


@pytest.mark.parametrize(
    ("block", "values", "message"),
    [
        ("engine", {"token_budget": 256}, r"engine\.token_budget holds 256"),
        ("simulation", {"sampling": {"max_new_tokens": 100_000}}, "base tiny-moe takes"),
    ],
)
def test_prompts_that_cannot_fit_are_refused_before_anything_runs(
    block: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        prepare(changed(block, **values))


def test_opinion_models_ask_for_nothing() -> None:
    alone = Scenario.model_validate(
        {
            **SMALL.model_dump(),
            "conditions": ["lorenz", "degroot"],
            "compare": {"treatment": "lorenz", "control": "degroot"},
        }
    )
    assert prepare(alone).workload is None


def test_validation_says_what_the_run_will_ask_for() -> None:
    *_, decisions, memory = check(SMALL)
    assert decisions.startswith("decisions: ")
    assert "GiB are free" in memory
