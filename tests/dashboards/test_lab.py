"""The page on experiments: results and benchmarks with what they say, everything else with a message."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from benchmarks.harness import Case, Figure, Goal, Results, _as_json
from sim.lab_result import Axis, LabResult, Series
from tests.dashboards.conftest import OpenPage
from tests.sim.test_lab_result import VOTING


def said(app: AppTest) -> str:
    assert not app.exception
    shown = [*app.header, *app.caption, *app.info, *app.warning, *app.success, *app.error]
    return "\n".join(one.value for one in shown).replace("\\", "")


def test_a_result_is_shown_with_what_was_published(open_page: OpenPage, tmp_path: Path) -> None:
    VOTING.write(tmp_path / "deep" / "voting.result.json")
    app = open_page("lab", tmp_path)
    assert "variants from 0.36 at 1 to 0.46 at 100" in said(app)
    assert "toy base" in said(app)
    assert "30 random subsets per k" in said(app)
    app.checkbox[0].uncheck().run()
    assert "30 random subsets per k" not in said(app)
    assert app.dataframe[0].value["series"].nunique() == 2


def test_an_experiment_without_published_curves_needs_none(open_page: OpenPage, tmp_path: Path) -> None:
    LabResult(
        kind="other", title="Any <b>other</b>", x=Axis(label="x"), y=Axis(label="y"), source="test", toy=False,
        series=(Series(name="a", x=(1.0,), y=(None,)),),
    ).write(tmp_path / "a.result.json")  # fmt: skip
    app = open_page("lab", tmp_path)
    assert "a has no values" in said(app)
    assert not app.checkbox


def test_a_missed_goal_is_told_as_missed(open_page: OpenPage, tmp_path: Path) -> None:
    results = Results(
        [Case("one", {"agents": 8}, {"seconds": Figure(2.0, 1.0, 3.0, 3)})],
        [Goal("speed", 2.0, 1.0), Goal("memory", 2.0, 1.0, at_least=False)],
    )
    (tmp_path / "report.json").write_text(_as_json(results))
    app = open_page("lab", tmp_path)
    assert "1 of 2 goals met" in said(app)
    assert app.dataframe[0].value["verdict"].tolist() == ["met", "MISSED"]


def test_nothing_there_says_how_to_make_something(open_page: OpenPage, tmp_path: Path) -> None:
    assert ".result.json" in said(open_page("lab", tmp_path))


def test_broken_files_are_listed_and_hide_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    VOTING.write(tmp_path / "good.result.json")
    (tmp_path / "half.result.json").write_text('{"plures_result": 1, "kind": "vot')
    (tmp_path / "newer.result.json").write_text('{"plures_result": 2}')
    (tmp_path / "other.json").write_text("[]")
    app = open_page("lab", tmp_path, file="nowhere")
    assert VOTING.title in said(app)
    messages = app.dataframe[-1].value["message"].str.cat(sep="\n")
    assert "half-written" in messages
    assert "newer Plures" in messages
    assert "neither a result file" in messages
