"""How long a run will take, from samples of its own work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.store import AdapterStore
from sim.cli.app import main
from sim.errors import ScenarioError
from sim.estimate import Part, estimate
from sim.preparation import prepare
from sim.scenario import Scenario
from tests.sim.conftest import SMALL


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Part]:
    """Of a scenario whose adapters are nowhere yet."""
    return estimate(SMALL, prepare(SMALL), AdapterStore(tmp_path_factory.mktemp("empty")))


def test_every_training_and_condition_is_a_part_with_its_amount(parts: list[Part]) -> None:
    decisions = sum(int(world.schedule.sum()) for world in prepare(SMALL).worlds.values())
    assert [(part.name, part.amount) for part in parts] == [
        ("training, personal adapters", 8 * 8),
        ("training, one adapter for all", 8 * 8),
        *((f"condition {condition}", decisions) for condition in SMALL.conditions),
    ]
    assert all(part.seconds > 0 for part in parts)


@pytest.mark.usefixtures("small_run")
def test_what_the_store_holds_takes_no_time(small_store: Path) -> None:
    personal, pooled, *conditions = estimate(SMALL, prepare(SMALL), AdapterStore(small_store))
    assert (personal.amount, personal.seconds, pooled.amount) == (0, 0.0, 0)
    assert all(part.amount for part in conditions)


def test_a_server_is_not_started_to_guess_how_fast_it_is(tmp_path: Path) -> None:
    served = Scenario.model_validate({**SMALL.model_dump(), "engine": {"kind": "vllm"}})
    with pytest.raises(ScenarioError, match=r"engine\.kind: estimates are made for local"):
        estimate(served, prepare(SMALL), AdapterStore(tmp_path))


def test_opinion_models_alone_have_nothing_to_sample(tmp_path: Path) -> None:
    models = ["degroot", "lorenz"]
    asked = {"conditions": models, "compare": {"treatment": models[0], "control": models[1]}}
    scenario = Scenario.model_validate({**SMALL.model_dump(), **asked})
    assert estimate(scenario, prepare(scenario), AdapterStore(tmp_path)) == []


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *parts: Part) -> str:
    """What the command prints, as text and as JSON, where these are the parts."""
    monkeypatch.setattr("sim.estimate.estimate", lambda *_: list(parts))
    monkeypatch.setattr("sim.preparation.prepare", lambda _: None)
    scenario = str(Path(__file__).parents[2] / "scenarios" / "quickstart.yaml")
    for more in ((), ("--json",)):
        monkeypatch.setattr("sys.argv", ["plures", "estimate", scenario, *more])
        with pytest.raises(SystemExit):
            main()
    return capsys.readouterr().out


def test_the_command_prints_the_total(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(monkeypatch, capsys, Part("condition lora", 60, "decisions", 90.0))
    assert "about 1.5 minutes, on this machine" in found
    assert json.loads(found[found.index("{") :])["seconds"] == 90.0


def test_the_command_says_that_nothing_was_to_be_sampled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(monkeypatch, capsys)
    assert "opinion models alone" in found
    assert json.loads(found[found.index("{") :]) == {"parts": [], "seconds": 0}
