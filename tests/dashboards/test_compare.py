"""The page that compares conditions and runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dashboards.plots.series import BANDS, series_chart
from sim.run_dir import RunDir
from sim.views.comparison import series
from tests.dashboards.conftest import OpenPage
from tests.sim.views.made_runs import made_run, unfinish


def values(key: object, step: int) -> dict[str, float]:
    lora = getattr(key, "condition", "") == "lora"
    seed = getattr(key, "seed", 0)
    return {
        "polarization_distance": 0.1 * step + 0.2 * seed + 0.3 * lora,
        "stance_std": 0.2 + 0.1 * lora,
        "like_gini": 0.3 + 0.05 * seed + 0.1 * lora,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made_run(tmp_path / "runs" / "first", values, sizes=(8, 16))
    return tmp_path / "runs"


def test_the_page_opens_with_toy_label_chart_tables_and_the_papers_numbers(
    open_page: OpenPage, finished_run: RunDir
) -> None:
    app = open_page("compare", finished_run.path.parent)
    assert not app.exception
    assert not app.error
    assert app.warning[0].value.startswith("Toy base")
    assert [head.value for head in app.subheader] == [
        "What changed by the last step",
        "Beside the published study",
    ]
    differences, beside = app.dataframe[1].value, app.dataframe[2].value
    assert {"difference", "95% low", "ratio", "Holm p"} <= set(differences.columns)
    assert "N = 12 ours (toy base)" in beside.columns


@pytest.mark.parametrize("x", ["step", "N", "seed"])
@pytest.mark.parametrize("show", ["values", "differences"])
def test_every_axis_can_be_chosen_by_the_address(
    open_page: OpenPage, folder: Path, x: str, show: str
) -> None:
    app = open_page("compare", folder, x=x, show=show, n="8", group="attention", measure="like_gini")
    assert not app.exception
    assert (app.selectbox("choose-x").value, app.selectbox("choose-measure").value) == (x, "like_gini")
    words = " ".join(caption.value for caption in app.caption)
    assert "Gini of likes per post" in words
    assert ("lora − shared\\_base" in words) == (show == "differences")


def test_choosing_a_measure_changes_the_address_and_the_definition(open_page: OpenPage, folder: Path) -> None:
    app = open_page("compare", folder)
    app.selectbox("choose-measure").set_value("stance_std").run()
    assert app.query_params["measure"] in ("stance_std", ["stance_std"])
    assert app.dataframe[0].value["measure"].tolist() == ["Stance std, everybody"]


def test_runs_that_are_not_comparable_are_shown_with_the_reason_in_front(
    open_page: OpenPage, folder: Path
) -> None:
    made_run(folder / "second", values, versions={"python": "3.12"})
    app = open_page("compare", folder, runs="runs/first,runs/second")
    assert not app.exception
    assert "Other versions" in app.error[0].value
    assert "What each run found" in [head.value for head in app.subheader]
    made_run(folder / "third", values)
    assert not open_page("compare", folder, runs="runs/first,runs/third").error


def test_a_run_without_a_finished_cell_says_so_and_the_others_are_shown(
    open_page: OpenPage, folder: Path
) -> None:
    idle = made_run(folder / "idle", values)
    for cell in idle.cells():
        unfinish(idle, cell.key)
    app = open_page("compare", folder, run="runs/idle")
    assert not app.exception
    assert "No cell is finished yet in idle" in app.info[0].value
    both = open_page("compare", folder, runs="runs/idle,runs/first")
    assert not both.exception
    assert "What changed by the last step" in [head.value for head in both.subheader]


def test_one_condition_alone_is_drawn_without_differences(open_page: OpenPage, tmp_path: Path) -> None:
    made_run(tmp_path / "runs" / "alone", values, conditions=("lora",), seeds=(0,))
    for show in ("values", "differences"):
        app = open_page("compare", tmp_path / "runs", show=show)
        assert not app.exception
        assert "no finished pair" in app.info[-1].value


def test_a_folder_named_like_markup_is_shown_as_text(open_page: OpenPage, folder: Path) -> None:
    shutil.copytree(folder / "first", folder / "<b>x</b> **y**")
    names = "runs/first,runs/<b>x<∕b> **y**".replace("∕", "")
    app = open_page("compare", folder, runs=names)
    assert not app.exception


def test_lines_differ_without_hue_and_bands_follow_the_choice(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", values)
    plotted = series(run, ["like_gini"], "step", "values", 8)
    figures = {band: series_chart(plotted, "metric", "step", band, {"like_gini": "index"}) for band in BANDS}
    lines = [trace for trace in figures["interval"].data if trace.mode == "lines+markers"]
    assert len({trace.line.dash for trace in lines}) == len({trace.marker.symbol for trace in lines}) == 2
    fills = {band: [t for t in figure.data if t.fill == "toself"] for band, figure in figures.items()}
    assert [len(fills[band]) for band in ("interval", "range", "none")] == [2, 2, 0]
    assert max(fills["range"][0].y) == pytest.approx(0.5)  # 0.3 + 0.05 · 2 + 0.1
    assert figures["interval"].layout.title.text.endswith("band: 95% interval (t)")
    low, high = figures["interval"].layout.yaxis.range
    assert 0 < low < 0.3 < 0.5 < high <= 1.03  # never far beyond what a Gini can be
