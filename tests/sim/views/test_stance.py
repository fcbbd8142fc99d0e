"""Where users stand and move, in runs whose users drift to their own end."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from metrics.stance_bands import NO_BAND
from sim.cell import CellKey
from sim.errors import RunDirError
from sim.run_dir import RunDir
from sim.views.stance import (
    STANCE_COLUMNS,
    band_names,
    flows,
    moments,
    of_seed,
    spread_over_steps,
    stance_at,
    stances,
)
from tests.sim.views.made_runs import made_run, unfinish


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return made_run(tmp_path_factory.mktemp("made") / "run", lambda *_: {"stance_std": 0.5}, steps=4)


def test_every_user_of_every_finished_cell_has_a_row_a_step_with_their_side(run: RunDir) -> None:
    users = stances(run, 8)
    assert list(users.columns) == STANCE_COLUMNS
    assert len(users) == 2 * 3 * 5 * 8
    assert users.groupby("side")["user_id"].unique().map(sorted).to_dict() == {
        "supportive": [0, 2, 4, 6],
        "skeptical": [1, 3, 5, 7],
    }
    assert set(of_seed(users, 1)["seed"]) == {1}
    assert len(of_seed(users, None)) == len(users)


def test_shares_of_a_side_are_of_its_users_with_a_stance(run: RunDir) -> None:
    plotted = spread_over_steps(stances(run, 8))
    assert list(dict.fromkeys(plotted.frame["condition"])) == ["lora", "shared_base"]
    shares = plotted.frame.groupby(["condition", "side", "step"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1.0)
    assert set(plotted.frame["step"]) == {1, 2, 3, 4}  # at step 0 nobody has shown one
    last = plotted.frame.query("condition == 'lora' and side == 'supportive' and step == 4 and users > 0")
    assert last[["middle", "users", "share"]].to_numpy().tolist() == [[pytest.approx(0.95), 12, 1.0]]
    assert "lora: skeptical -1 (middle half -1 to -1, 12 users); supportive +1" in plotted.alt
    assert plotted.title.endswith("N = 8, 3 seeds together")


def test_before_anybody_speaks_the_words_say_so(run: RunDir) -> None:
    plotted = stance_at(of_seed(stances(run, 8), 0), 0)
    assert len(plotted.frame) == 2 * 8
    assert "supportive: nobody has shown a stance" in plotted.alt
    assert plotted.title.endswith("N = 8, seed 0")


@pytest.mark.parametrize(
    ("last", "count", "expected"), [(4, 3, [0, 2, 4]), (30, 5, [0, 8, 15, 22, 30]), (2, 9, [0, 1, 2])]
)
def test_moments_are_spread_evenly_and_hold_both_ends(last: int, count: int, expected: list[int]) -> None:
    assert moments(last, count) == expected


def test_flows_add_up_seeds_and_keep_everybody(run: RunDir) -> None:
    plotted = flows(stances(run, 8), [0, 2, 4])
    assert plotted.frame.groupby(["condition", "step"])["users"].sum().tolist() == [24] * 4
    assert plotted.frame.groupby(["condition", "step"])["share"].sum().to_numpy() == pytest.approx(1.0)
    first = plotted.frame.query("condition == 'lora' and step == 0")
    assert set(first["band"]) == {NO_BAND}
    # from ±0.5, in the second bands from the ends, to ±1
    assert "lora, from step 2 to 4: 50% move towards the positive end, 50% move towards the negative" in (
        plotted.alt
    )


def test_bands_are_named_from_the_positive_end_down_by_their_ends() -> None:
    names = band_names()
    assert next(iter(names.values())) == "+0.6 to +1.0"
    assert list(names)[-1] == NO_BAND
    assert all(re.fullmatch(r"[+−]\d\.\d to [+−]\d\.\d", name) for name in list(names.values())[:-1])


def test_only_finished_cells_count_and_none_at_all_is_said(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", lambda *_: {"stance_std": 0.5}, seeds=(0,))
    unfinish(run, CellKey(8, 0, "lora"))
    assert set(stances(run, 8)["condition"]) == {"shared_base"}
    unfinish(run, CellKey(8, 0, "shared_base"))
    with pytest.raises(RunDirError, match="no cell of N = 8 is finished yet"):
        stances(run, 8)


def test_users_of_unknown_side_are_kept_but_belong_to_no_side(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", lambda *_: {"stance_std": 0.5}, seeds=(0,))
    people = run.read_population(8)
    people.loc[people["agent_id"] == 0, "side"] = None
    people.to_parquet(run.population_file(8))
    users = stances(run, 8)
    assert users.loc[users["user_id"] == 0, "side"].isna().all()
    assert isinstance(spread_over_steps(users).frame, pd.DataFrame)
