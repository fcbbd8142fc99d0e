"""Validation against real series: the grid, the cut, every method on the same steps, a run beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.errors import OpinionError
from agents.opinion.neighbours import Neighbours
from agents.opinion.stochastic_bounded_confidence import StochasticBoundedConfidence
from agents.opinion.trajectory import simulate
from metrics.series.attitudes import GroupSeries
from sim.cli.app import main
from sim.errors import SeriesError
from sim.experiment import run_experiment
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from sim.series_figure import series_figure
from sim.series_input import Shares, Statements, read_series
from sim.series_panel import panel_of, share_agents
from sim.series_run import aligned
from sim.series_validation import Validation, per_step, validate_series
from tests.real_data import real_file
from tests.sim.conftest import SMALL

NAN = float("nan")


def _statements(rows: list[tuple[float, str, float]], classes: tuple[float, ...] = ()) -> Statements:
    return Statements("real.csv", pd.DataFrame(rows, columns=["time", "user", "value"]), classes)


@pytest.fixture(scope="module")
def town() -> Statements:
    """Twenty people who speak at every one of 31 times and drift together, in three classes of stance."""
    rng = np.random.default_rng(0)
    opinions = rng.uniform(-1, 1, 20)
    rows = []
    for time in range(31):
        said = np.clip(np.round(opinions), -1, 1)
        rows += [(float(time), f"u{user:02d}", float(value)) for user, value in enumerate(said)]
        opinions += 0.05 * (opinions.mean() - opinions)
    return _statements(rows, (-1.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def result(town: Statements) -> Validation:
    """Two models without much work."""
    return validate_series(town, models=["hegselmann_krause", "degroot"], steps=10)


def test_stances_hold_until_the_next_one() -> None:
    # a and b have both spoken at 1 (half of three by then), c later: panel a, b; grid 1 … 5.
    rows = [(0.0, "a", 1.0), (1.0, "b", -1.0), (3.0, "a", 0.0), (4.0, "c", 1.0), (5.0, "b", 0.5)]
    panel = panel_of(_statements(rows), steps=4, train=0.5)
    assert panel.times.tolist() == [1, 2, 3, 4, 5]
    assert panel.people is not None
    assert panel.people.T.tolist() == [[1, 1, 0, 0, 0], [-1, -1, -1, -1, 0.5]]
    assert (panel.start.tolist(), panel.at_cut.tolist()) == ([1, -1], [0, -1])
    assert panel.real.bias.tolist() == [0, 0, -0.5, -0.5, 0.25]
    assert panel.test.bias.tolist() == [-0.5, 0.25]


def test_a_panel_has_two_people_at_least() -> None:
    """Of two people half is one, who alone has no diversity: the panel waits for the second."""
    panel = panel_of(_statements([(0.0, "a", 1.0), (2.0, "b", -1.0), (6.0, "a", 0.0)]), steps=4, train=0.5)
    assert panel.times.tolist() == [2, 3, 4, 5, 6]
    assert panel.real.diversity.tolist() == [1, 1, 1, 1, 0.5]


def test_shares_become_agents() -> None:
    frame = pd.DataFrame(
        {"time": [0.0, 1.0, 4.0], "approve": [0.5, 0.25, 0.0], "disapprove": [0.5, 0.5, 1.0]}
    )
    panel = panel_of(Shares("real.csv", frame), steps=4, train=0.5)
    assert panel.real.bias.tolist() == [0.0, -0.25, -0.25, -0.25, -1.0]
    assert np.bincount(panel.start.astype(int) + 1).tolist() == [100, 0, 100]
    assert np.bincount(share_agents(0.255, 0.745, 3).astype(int) + 1).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("series", "train", "message"),
    [
        (_statements([(0.0, "a", 0.0), (1.0, "a", 0.0)]), 0.5, "1 person; expected at least 2"),
        (_statements([(0.0, "a", 0.0), (0.0, "b", 0.0)]), 0.5, "all rows are of one time"),
        (_statements([(0.0, "a", 0.0), (1.0, "b", 0.0)]), 0.9, "at least 1 step to learn from and 2"),
        (
            _statements([(float(time), f"u{time}", 0.0) for time in range(20)]),
            0.5,
            "none of the panel's 10 people speaks in the last 5 of 10 steps",
        ),
        (
            Shares("s.csv", pd.DataFrame({"time": [0.0], "approve": [1.0], "disapprove": [0.0]})),
            0.5,
            "1 moments",
        ),
    ],
)
def test_too_little_is_named(series: Statements | Shares, train: float, message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        panel_of(series, steps=10, train=train)


def test_every_method_is_judged_on_the_same_steps(result: Validation) -> None:
    panel, table = result.panel, result.table.set_index("method")
    assert (panel.cut, panel.test_steps) == (7, 3)
    assert list(table.index) == ["real", "last value", "constant", "hegselmann_krause", "degroot"]
    last = np.abs(panel.real.bias[7] - panel.real.bias[8:]).mean()
    assert table.loc["last value", "delta_bias"] == pytest.approx(last)
    constant = np.abs(panel.real.diversity[:8].mean() - panel.real.diversity[8:]).mean()
    assert table.loc["constant", "delta_diversity"] == pytest.approx(constant)
    steps = per_step(result)
    assert len(steps) == 5 * 3
    mean = steps[steps["method"] == "degroot"]["delta_bias"].mean()
    assert mean == pytest.approx(table.loc["degroot", "delta_bias"])


def test_what_people_say_next(result: Validation, town: Statements) -> None:
    scores = result.next_opinion.set_index("method")
    assert list(scores.index) == ["own last", "own most frequent", "constant", "hegselmann_krause", "degroot"]
    late = town.frame[town.frame["time"] > 21]
    assert set(scores["n"]) == {len(late)}
    before = town.frame.groupby("user")["value"].shift()
    assert scores.loc["own last", "accuracy"] == pytest.approx(
        (before == town.frame["value"])[late.index].mean()
    )


def test_both_tables_are_cut_at_the_same_moment(town: Statements) -> None:
    """A lone early voice moves neither the panel's beginning nor, so, the cut of the statements."""
    early = pd.DataFrame({"time": [-100.0], "user": ["u00"], "value": [1.0]})
    frame = pd.concat([early, town.frame], ignore_index=True)
    result = validate_series(Statements("real.csv", frame, town.classes), models=[], steps=10)
    cut = result.panel.times[result.panel.cut]
    assert cut == 21.0
    assert set(result.next_opinion["n"]) == {(town.frame["time"] > cut).sum()}


def test_same_seed_same_result(result: Validation, town: Statements) -> None:
    again = validate_series(town, models=["hegselmann_krause", "degroot"], steps=10)
    assert json.dumps(again.record()) == json.dumps(result.record())


def test_figure_shows_every_method_twice(result: Validation) -> None:
    figure = series_figure(result)
    assert [trace.name for trace in figure.data] == [*result.table["method"]] * 2


@pytest.mark.parametrize(
    ("times", "shown"), [([18629.0, 18631.0], "2021-01-02T00:00:00"), ([1.6e9, 1.6e9 + 2], 1.6e9)]
)
def test_figure_shows_dates_only_where_times_were_dates(times: list[float], shown: object) -> None:
    """Seconds since 1970 are numbers like any other."""
    frame = pd.DataFrame({"time": [times[0], sum(times) / 2, times[1]], "approve": 0.4, "disapprove": 0.5})
    series = Shares("real.csv", frame, dated=isinstance(shown, str))
    figure = series_figure(validate_series(series, models=[], steps=4, train=0.5))
    assert figure.data[0].x[0] == shown


def test_unknown_models_are_named_before_any_work(town: Statements) -> None:
    with pytest.raises(OpinionError, match="'voter': unknown"):
        validate_series(town, models=["voter"])


def test_a_run_is_laid_over_the_judged_part() -> None:
    # Four steps of a run over two test steps: grid points 1 and 2 are the run's steps 1.5 and 3.
    series = aligned(GroupSeries(np.array([NAN, 0.1, 0.3, 0.7]), np.array([NAN, 0.5, 0.5, 0.4])), 2)
    np.testing.assert_allclose(series.bias, [0.2, 0.7])
    np.testing.assert_allclose(series.diversity, [0.5, 0.4])
    # Before anybody has a stance there is no value.
    assert np.isnan(
        aligned(GroupSeries(np.array([NAN, NAN, 0.3]), np.array([NAN, NAN, 0.1])), 4).bias[:3]
    ).all()


def test_conditions_of_a_run_stand_beside_the_models(town: Statements, tmp_path: Path) -> None:
    scenario = Scenario.model_validate(
        {
            **as_plain(SMALL),
            "conditions": ["degroot", "lorenz"],
            "compare": {"treatment": "degroot", "control": "lorenz"},
        }
    )
    run = run_experiment(scenario, tmp_path / "run", store=tmp_path / "store")
    result = validate_series(town, models=[], run=run, steps=10)
    rows = result.table.set_index("method")
    assert list(rows.index[3:]) == ["run: degroot", "run: lorenz"]
    assert set(rows["kind"][3:]) == {"run"}
    assert set(rows["runs"][3:]) == {2}
    finals = [
        cell.read_stance().query("step == 2")["stance"].mean()
        for cell in run.cells()
        if cell.key.condition == "degroot"
    ]
    steps = per_step(result)
    assert steps[steps["method"] == "run: degroot"]["bias"].iloc[-1] == pytest.approx(np.mean(finals))


def test_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    real = tmp_path / "poll.csv"
    days = pd.DataFrame({"day": range(1, 31), "yes": 40 + np.arange(30) / 3, "no": 50 - np.arange(30) / 4})
    days.to_csv(real, index=False)
    words = ["validate-series", str(real), "--column", "approve=yes", "--column", "disapprove=no"]
    words += ["--models", "degroot", "--steps", "10", "--plot", str(tmp_path / "poll.html")]

    def run(*more: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["plures", *words, *more])
        with pytest.raises(SystemExit) as stopped:
            main()
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, shown.err

    code, out, _ = run("--json")
    record = json.loads(out)
    assert code == 0
    assert [row["method"] for row in record["table"]] == ["real", "last value", "constant", "degroot"]
    assert record["table"][0]["delta_bias"] is None
    assert len(record["published"]["rows"]) == 12
    assert "<html>" in (tmp_path / "poll.html").read_text("utf-8")
    code, out, _ = run("--quiet")
    assert code == 0
    assert "7 of 10 steps to learn from" in " ".join(out.split())
    for more, message in (
        (("--class", "yes"), "--class yes: expected NAME=VALUE"),
        (("--class", "yes=x"), "--class yes=x: expected a number"),
        (("--plot", "a.png"), "expected a name that ends in .html"),
        (("--run", str(tmp_path)), "no run here"),
        (("--models", "voter"), "'voter': unknown"),
    ):
        code, _, err = run(*more)
        assert code == 2
        assert err.startswith("plures: ")
        assert message in err


@pytest.mark.slow
def test_abortion_sample_beats_no_baseline_that_is_known() -> None:
    """What is reported in docs/opinions.md: own most frequent class is best, models tie with own last at most."""
    classes = {"0": -1.0, "1": -1 / 3, "2": 1 / 3, "3": 1.0}
    series = read_series(real_file("series/posts_final_sample_twitter_Abortion.tsv"), classes=classes)
    scores = validate_series(series).next_opinion.set_index("method")["accuracy"]
    assert scores["own most frequent"] == scores.max() > 0.55
    assert scores["degroot"] <= scores["own last"] + 0.01


def test_approval_polls_have_the_baselines_that_the_page_shows() -> None:
    """docs/opinions.md, row "Biden, all"."""
    file = real_file("series/covid_approval_toplines.csv")
    series = read_series(file, where={"subject": "Biden", "party": "all"})
    rows = validate_series(series, models=[]).table.set_index("method")
    for method, shown in (("last value", (0.009, 0.009)), ("constant", (0.093, 0.012))):
        assert tuple(rows.loc[method, ["delta_bias", "delta_diversity"]]) == pytest.approx(shown, abs=5e-4)


def test_rule_of_a_dense_series_is_reported() -> None:
    """Everybody speaks at every time, in numbers: who moved by how much tells exponent, rate and pull."""
    rng = np.random.default_rng(1)
    schedule = rng.random((40, 50)) < 0.3
    truth = StochasticBoundedConfidence(0.5, 0.05, "addition")
    path = np.round(simulate(truth, rng.uniform(-1, 1, 50), Neighbours.complete(50), schedule, rng), 4)
    rows = [(float(t), f"u{u}", float(x)) for t, opinions in enumerate(path) for u, x in enumerate(opinions)]
    result = validate_series(_statements(rows), models=[], steps=10)
    assert result.meetings
    best = result.meetings.fits[0]
    assert best.model.pull == "addition"
    assert best.model.rate == pytest.approx(0.05, abs=2e-4)
    assert best.exponent_low - 0.1 < 0.5 < best.exponent_high + 0.1
    assert result.meetings.regime == result.meetings.real_regime
    assert result.next_opinion.empty


@pytest.mark.parametrize("first", [0.0, 0.5], ids=["all begin alike", "hardly anybody changes"])
def test_a_dense_series_without_a_rule_is_validated_all_the_same(first: float) -> None:
    """Five people at twenty times: either equal at the start, or with one change in all up to the cut."""
    path = np.full((20, 5), first)
    if first:
        path[:, 0], path[1:, 1], path[16:, 2] = -first, 0.1, 0.2
    else:
        path[1:] = np.random.default_rng(0).uniform(-1, 1, (19, 5))
    rows = [(float(t), f"u{u}", float(x)) for t, opinions in enumerate(path) for u, x in enumerate(opinions)]
    result = validate_series(_statements(rows), models=[], steps=10)
    assert result.meetings is None
    assert list(result.table["method"]) == ["real", "last value", "constant"]
