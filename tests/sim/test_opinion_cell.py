"""Classical models as conditions: the language agents' world, first stances from the seeds, no text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from agents.opinion.models import MODELS, OPINION_CONDITIONS
from metrics.catalogue import CATALOGUE
from sim.cli.app import app
from sim.comparison import compare_run
from sim.drivers import run_drivers
from sim.errors import RunDirError
from sim.experiment import run_experiment
from sim.opinion_cell import first_stance, opinion_model, seed_stance
from sim.preparation import Prepared, prepare
from sim.progress import Silent
from sim.report import write_report
from sim.run_dir import CellDir, RunDir
from sim.run_texts import finished_cells
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from tests.sim.conftest import SMALL

MIXED = Scenario.model_validate(
    {
        **as_plain(SMALL),
        "name": "mixed",
        "conditions": ["shared_base", *OPINION_CONDITIONS],
        "seeds": [0],
        "opinion_models": {"degroot": {"self_weight": 0.25}},
        "compare": {"treatment": "shared_base", "control": "degroot"},
    }
)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, small_store: Path) -> RunDir:
    """Language agents beside every opinion model: 8 people, 2 steps."""
    return run_experiment(MIXED, tmp_path_factory.mktemp("runs") / "mixed", store=small_store)


@pytest.fixture(scope="module")
def ready() -> Prepared:
    """The same scenario before its first cell."""
    return prepare(MIXED)


def _cell(run: RunDir, condition: str) -> CellDir:
    return next(c for c in run.cells() if c.key.condition == condition)


def _values(run: RunDir, condition: str, metric: str) -> list[float]:
    values = _cell(run, condition).read_metrics()
    return list(values.loc[values["metric"] == metric, "value"])


def test_every_model_gives_every_agent_a_stance_at_every_step(mixed: RunDir) -> None:
    assert mixed.state == "done"
    for condition in OPINION_CONDITIONS:
        stance = _cell(mixed, condition).read_stance()
        assert list(stance.columns) == ["step", "user_id", "stance"]
        assert stance[["step", "user_id"]].to_numpy().tolist() == [[s, u] for s in range(3) for u in range(8)]
        assert stance["stance"].between(-1, 1).all()


def test_models_start_where_the_seeds_stand(mixed: RunDir, ready: Prepared) -> None:
    """Own seeds, else the side's mean; and the seeds' polarization is that of the language agents."""
    world = ready.worlds[8, 0]
    seeded = seed_stance(world, ready.scorer)
    assert set(seeded.dropna().index) == {post.agent_id for post in world.seed_posts}
    starts = [_cell(mixed, name).read_stance().query("step == 0")["stance"] for name in OPINION_CONDITIONS]
    for start in starts:
        assert list(start) == list(first_stance(seeded, world.population.side))
    for condition in OPINION_CONDITIONS:
        initial = _values(mixed, condition, "initial_polarization_distance")
        assert initial == _values(mixed, "shared_base", "initial_polarization_distance")


def test_agents_move_on_their_own_graph_and_schedule(mixed: RunDir, ready: Prepared) -> None:
    """DeGroot by a dense matrix: active agents take a quarter of their own and the rest of those they follow."""
    world = ready.worlds[8, 0]
    weights = np.zeros((8, 8))
    weights[world.follows["follower_id"], world.follows["followee_id"]] = 1
    nobody = weights.sum(axis=1) == 0
    weights[nobody, nobody] = 1
    weights = 0.25 * np.eye(8) + 0.75 * weights / weights.sum(axis=1, keepdims=True)
    stance = _cell(mixed, "degroot").read_stance()
    path = stance.pivot_table(index="step", columns="user_id", values="stance").to_numpy()
    for step, active in enumerate(world.schedule):
        np.testing.assert_allclose(
            path[step + 1], np.where(active, weights @ path[step], path[step]), atol=1e-12
        )


def test_nothing_is_read_of_what_such_agents_wrote(mixed: RunDir) -> None:
    assert [cell.key.condition for cell in finished_cells(mixed)] == ["shared_base"]


@pytest.mark.parametrize(("treatment", "contrast"), [("shared_base", "shared_base − real"), ("lorenz", None)])
def test_texts_are_shown_beside_mute_conditions(
    mixed: RunDir, tmp_path: Path, treatment: str, contrast: str | None
) -> None:
    """The control wrote nothing, so real posts stand in; where the treatment is mute, too, there is no contrast."""
    folder = shutil.copytree(mixed.path, tmp_path / "run")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["scenario"]["compare"] = {"treatment": treatment, "control": "degroot"}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    words = ["text", str(folder), "--no-embeddings", "--quiet"]
    shown = CliRunner().invoke(app, words, catch_exceptions=False)
    folded = " ".join(shown.stdout.split())
    assert shown.exit_code == 0
    assert "Texts by condition, N=8: mean over seeds" in folded
    assert "lorenz" not in folded
    if contrast:
        assert contrast in folded
    else:
        assert "difference" not in folded


def test_drivers_of_change_are_those_of_language_agents(mixed: RunDir) -> None:
    with pytest.raises(RunDirError, match="lorenz is an opinion model, whose agents are shown no posts"):
        run_drivers(mixed, "lorenz", 8)


def test_only_measures_without_text_are_there(mixed: RunDir) -> None:
    metrics = set(_cell(mixed, "lorenz").read_metrics()["metric"])
    assert metrics <= {m.id for m in CATALOGUE.values() if m.group == "polarization"}
    assert {"polarization_distance", "stance_std_positive", "stance_coverage"} <= metrics
    assert set(_values(mixed, "lorenz", "stance_coverage")) == {1.0}


def test_everything_downstream_takes_such_cells(mixed: RunDir) -> None:
    compared = compare_run(mixed)
    own = compared[compared["treatment_condition"] == "shared_base"].set_index(
        ["control_condition", "metric"]
    )
    assert own.loc[("degroot", "initial_polarization_distance"), "difference"] == 0.0
    assert own.loc[("degroot", "comments"), "note"] == "not measured under degroot"
    models = compared[compared["treatment_condition"] == "lorenz"]
    assert set(models["metric"]) <= {m.id for m in CATALOGUE.values() if m.group == "polarization"}
    assert "friedkin_johnsen" in write_report(mixed).read_text("utf-8")
    record = json.loads((_cell(mixed, "degroot").path / "cell.json").read_text("utf-8"))
    assert record["opinion_model"]["parameters"] == {"self_weight": 0.25}
    assert 0 < record["opinion_model"]["agents_with_seeds"] <= 6
    assert _cell(mixed, "degroot").read_bindings() == {}
    assert not _cell(mixed, "degroot").database.exists()


class _StopsAt(Silent):
    def begin(self, task: str, total: int) -> None:
        if task == "lorenz-n8-s0":
            raise KeyboardInterrupt


def test_resumed_cells_have_the_same_bytes(mixed: RunDir, small_store: Path, tmp_path: Path) -> None:
    """Also of a scenario with opinion models alone, which trains and asks nothing."""
    alone = Scenario.model_validate(
        {
            **as_plain(MIXED),
            "conditions": ["degroot", "lorenz"],
            "compare": {"treatment": "lorenz", "control": "degroot"},
        }
    )
    with pytest.raises(KeyboardInterrupt):
        run_experiment(alone, tmp_path / "again", store=small_store, watcher=_StopsAt())
    again = run_experiment(alone, tmp_path / "again", store=small_store, resume=True)
    assert again.read_usage()["requests"] == 0
    for cell in again.cells():
        before = _cell(mixed, cell.key.condition)
        for name in ("stance.parquet", "metrics.parquet", "cell.json"):
            assert (cell.path / name).read_bytes() == (before.path / name).read_bytes(), (cell.key.id, name)


def test_agents_without_seeds_start_at_the_mean_of_their_side() -> None:
    # Side a: 0.2 and 0.6 seeded, so 0.4 for the third; side b: nobody seeded, so 0.
    seeded = pd.Series([0.2, 0.6, np.nan, np.nan])
    assert list(first_stance(seeded, pd.Series(["a", "a", "a", "b"]))) == [0.2, 0.6, 0.4, 0.0]


def test_conditions_without_a_model_are_language_agents() -> None:
    assert opinion_model("lora") is None
    assert [opinion_model(name) for name in MODELS] == list(OPINION_CONDITIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"opinion_models": {"lorenz": {"alpha": 2}}}, "less than or equal to 1"),
        ({"opinion_models": {"voter": {}}}, "Extra inputs"),
        ({"simulation": {"seed_posts": 1}}, "they need at least 2"),
        ({"conditions": ["voter"]}, "'friedkin_johnsen'"),
    ],
)
def test_mistakes_in_the_scenario_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Scenario.model_validate({**as_plain(MIXED), **change})


@pytest.mark.parametrize("name", OPINION_CONDITIONS)
def test_scenario_and_models_share_their_defaults(name: str) -> None:
    block = Scenario(name="x").opinion_models
    condition = opinion_model(name)
    assert condition
    assert block.model(condition) == MODELS[condition]()
