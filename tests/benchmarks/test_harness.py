"""The benchmarks' common form: medians with spread, fair turns, goals that are printed when missed."""

from __future__ import annotations

import argparse
import json

import pytest

from benchmarks.harness import Case, Figure, Goal, Results, Sampled, main, ratios, take_turns


def results(quick: bool) -> Results:
    figures = {"ms": Figure.of([3.0, 1.0, 2.0])}
    goals = [Goal("fast", 2.0, 1.5), Goal("small", 2.0, 1.5, at_least=False)]
    return Results([Case("case", {"quick": quick}, figures)], goals)


def test_a_figure_is_the_median_with_lowest_and_highest() -> None:
    assert Figure.of([5.0, 1.0, 2.0, 4.0]) == Figure(3.0, 1.0, 5.0, 4)


def test_ratios_are_taken_round_by_round() -> None:
    # 10/1, 40/2, 90/3
    assert ratios([10, 40, 90], [1, 2, 3]) == Figure(20.0, 10.0, 30.0, 3)


def test_contestants_take_turns() -> None:
    order: list[str] = []

    def contestant(name: str, value: float) -> float:
        order.append(name)
        return value

    measured = take_turns({"a": lambda: contestant("a", 1.0), "b": lambda: contestant("b", 2.0)}, repeats=2)
    assert order == ["a", "b", "a", "b"]
    assert measured == {"a": [1.0, 1.0], "b": [2.0, 2.0]}


def test_json_has_the_agreed_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("title", results, ["--quick", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"machine", "versions", "cases", "goals"}
    assert report["cases"] == [
        {
            "name": "case",
            "setting": {"quick": True},
            "figures": {"ms": {"median": 2.0, "low": 1.0, "high": 3.0, "repeats": 3}},
        }
    ]
    assert report["goals"] == [
        {"name": "fast", "value": 2.0, "goal": 1.5, "met": True},
        {"name": "small", "value": 2.0, "goal": 1.5, "met": False},
    ]


def test_a_missed_goal_is_printed_as_missed(capsys: pytest.CaptureFixture[str]) -> None:
    main("title", results, [])
    text = capsys.readouterr().out
    assert "goal fast: 2 ≥ 1.5: met" in text
    assert "goal small: 2 ≤ 1.5: MISSED" in text
    assert "sanity check" not in text


def test_an_estimate_from_people_says_so_and_has_null_where_it_has_no_interval(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = {"share": Sampled(0.5, float("nan"), float("nan"), people=1)}
    sampled = lambda quick: Results([Case("case", {}, figures)])  # noqa: E731 - one line says it
    main("title", sampled, ["--json"])
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert case["figures"] == {"share": {"value": 0.5, "low": None, "high": None, "people": 1}}
    assert str(Sampled(0.5, 0.25, 0.75, people=8)) == "0.5 (95% 0.25 to 0.75, 8 people)"


def test_options_of_one_benchmark_stand_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--folder")
    with pytest.raises(SystemExit):
        main("title", results, ["--help"], own=own)
    assert "--folder" in capsys.readouterr().out
