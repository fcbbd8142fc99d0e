"""Every shipped scenario validates and runs to its end on the tiny base: shrunk here, as it stands when slow."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adapters.store import AdapterStore
from agents.synthetic import make_community, write_community
from metrics.catalogue import CATALOGUE
from sim.cell import grid
from sim.experiment import run_experiment
from sim.opinion_cell import opinion_model
from sim.preparation import check
from sim.run_dir import CellDir, RunDir
from sim.scenario import Scenario
from sim.scenario_file import load_scenario

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
TRAIN, HELD_OUT = 8, 2
SHRINK = (
    "base=tiny-moe",
    "adapters.first_layer=0",
    "population.size=6",
    f"population.train_posts={TRAIN}",
    f"population.held_out_posts={HELD_OUT}",
    "adapters.epochs=1",
    "simulation.steps=2",
    "simulation.seed_posts=4",
    "engine.kind=local",
)
CORPORA = {
    "synthetic": ("corpus.users=10", f"corpus.posts_per_user={TRAIN + HELD_OUT + 6}"),
    "file": ("corpus.path={posts}",),
}


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus file as a user would bring one, of people who are invented."""
    folder = tmp_path_factory.mktemp("corpus")
    community = make_community(np.random.default_rng(3), 10, TRAIN + HELD_OUT + 6, 0)
    write_community(community, folder)
    return folder / "timelines.jsonl"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "store"


def _shrunk(file: Path, posts: Path) -> Scenario:
    kind = load_scenario(file).corpus.kind
    return load_scenario(file, [*SHRINK, *(setting.format(posts=posts) for setting in CORPORA[kind])])


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_scenario_is_named_like_its_file(file: Path) -> None:
    assert load_scenario(file).name == file.stem


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_scenario_validates_and_runs(file: Path, posts: Path, store: Path, tmp_path: Path) -> None:
    scenario = _shrunk(file, posts)
    assert check(scenario)[0].startswith(f"scenario {file.stem}: {len(grid(scenario))} cells of 2 steps")
    _check_run(run_experiment(scenario, tmp_path / "run", store=store), scenario, store)


@pytest.mark.slow
def test_quickstart_runs_as_it_stands(tmp_path: Path) -> None:
    scenario = load_scenario(next(file for file in SCENARIOS if file.stem == "quickstart"))
    store = tmp_path / "store"
    _check_run(run_experiment(scenario, tmp_path / "run", store=store), scenario, store)


def _check_run(run: RunDir, scenario: Scenario, store: Path) -> None:
    """Done, every measure of every cell there, every adapter in the store, what conditions share the same."""
    assert run.state == "done"
    for cell in run.cells():
        values = cell.read_metrics()
        assert not values.duplicated(["step", "metric"]).any()
        assert set(values["step"]) == set(range(scenario.simulation.steps + 1))
        assert (values.groupby("step")["metric"].agg(set) == _measured(cell)).all()
    compared = pd.read_csv(run.comparison_file)
    assert set(compared["n_seeds"] + compared["n_missing"]) == {len(scenario.seeds)}
    assert run.report_file.read_text("utf-8").startswith("<!doctype html>")
    assert json.loads(run.manifest_file.read_text("utf-8"))["scenario"] == run.manifest["scenario"]
    _check_bindings(run, AdapterStore(store))
    _check_pairing(run)
    _check_documented(run)


def _measured(cell: CellDir) -> set[str]:
    """What a cell has: every measure, or those that need no text where nobody writes."""
    if opinion_model(cell.key.condition) is None:
        return set(CATALOGUE)
    return set(cell.read_metrics()["metric"]) & {
        m.id for m in CATALOGUE.values() if m.group == "polarization"
    }


def _writing(run: RunDir) -> list[CellDir]:
    """The cells of language agents."""
    return [cell for cell in run.cells() if opinion_model(cell.key.condition) is None]


def _check_documented(run: RunDir) -> None:
    """Every file of the run is on the page about run directories, under the names of its example."""
    page = (Path(__file__).parents[2] / "docs" / "run-directory.md").read_text("utf-8")
    for file in filter(Path.is_file, run.path.rglob("*")):
        name = re.sub(r"cells/[^/]+/", "cells/lora-n64-s0/", file.relative_to(run.path).as_posix())
        assert f"| `{re.sub('population-n[0-9]+', 'population-n64', name)}` |" in page, name


def _check_bindings(run: RunDir, store: AdapterStore) -> None:
    own = {
        size: run.read_population(size)["user_id"].map(run.manifest["adapters"]["own"]).to_dict()
        for size in run.scenario.population.size
    }
    for cell in _writing(run):
        bound = cell.read_bindings()
        match cell.key.condition:
            case "lora":
                assert bound == own[cell.key.size]
            case "shared_base":
                assert set(bound.values()) == {None}
            case "permuted":
                assert sorted(bound.values(), key=str) == sorted(own[cell.key.size].values(), key=str)
                assert all(bound[agent] != revision for agent, revision in own[cell.key.size].items())
            case "one_for_all" | "zero" as one:
                kind = {"one_for_all": "pooled", "zero": "zero"}[one]
                assert set(bound.values()) == {run.manifest["adapters"][kind]}
        for revision in set(bound.values()) - {None}:
            store.verify(str(revision))


def _check_pairing(run: RunDir) -> None:
    """Within a size and seed, the same agents are asked at the same steps with the same decoding seeds.

    An adapter without effect says what the bare base says.
    """
    shared: dict[tuple[int, int], pd.DataFrame] = {}
    replies = {cell.key: cell.ledger.read()["reply"].tolist() for cell in _writing(run)}
    for cell in _writing(run):
        if cell.key.condition == "zero":
            assert replies[cell.key] == replies[replace(cell.key, condition="shared_base")]
        ledger = cell.ledger.read()
        assert ledger["ok"].mean() > 0.9, ledger.loc[~ledger["ok"], ["outcome", "error"]].head().to_string()
        asked = ledger[["step", "agent_id", "seed"]]
        first = shared.setdefault((cell.key.size, cell.key.seed), asked)
        pd.testing.assert_frame_equal(first, asked)
