"""The page on stance, attention and cascades."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.plots.cascades import tree_chart
from dashboards.plots.flows import flow_chart
from dashboards.plots.stance import spread_chart
from sim.run_dir import RunDir
from sim.views.cascades import cascade_tree
from sim.views.stance import flows, spread_over_steps, stances
from tests.dashboards.conftest import OpenPage
from tests.sim.views.made_runs import SIDES, made_run, unfinish, write_platform
from tests.sim.views.test_cascades import HOSTILE, TABLES


def measures(*_: object) -> dict[str, float]:
    return {"stance_std": 0.5}


def opened_parts(open_page: OpenPage, folder: Path) -> dict[str, list[str]]:
    """What each part of the page tells in boxes; none of them may fail."""
    told = {}
    for part in ("stance", "attention", "cascades"):
        app = open_page("stance", folder, part=part)
        assert not app.exception
        assert not app.error
        told[part] = [info.value for info in app.info]
    return told


def test_every_part_opens_on_a_finished_run(open_page: OpenPage, finished_run: RunDir) -> None:
    assert opened_parts(open_page, finished_run.path.parent) == {
        "stance": [],
        "attention": [],
        "cascades": [],
    }


def test_the_step_slider_moves_the_address_and_the_words(open_page: OpenPage, finished_run: RunDir) -> None:
    app = open_page("stance", finished_run.path.parent, step="1")
    assert app.slider[0].value == 1
    assert any("Median stance after step 1" in caption.value for caption in app.caption)
    app.slider[0].set_value(2).run()
    assert app.query_params["step"] in ("2", ["2"])
    assert any("Median stance after step 2" in caption.value for caption in app.caption)
    assert open_page("stance", finished_run.path.parent, step="99").slider[0].value == 3


def test_top_posts_have_a_tab_for_each_condition_and_their_text_in_cells(
    open_page: OpenPage, finished_run: RunDir
) -> None:
    app = open_page("stance", finished_run.path.parent, part="attention", seed="1")
    assert len(app.dataframe) == 2
    assert all(table.value.columns[0] == "text" for table in app.dataframe)


def test_opinion_models_have_stance_and_a_message_instead_of_posts(
    open_page: OpenPage, tmp_path: Path
) -> None:
    made_run(tmp_path / "runs" / "models", measures, conditions=("degroot", "lorenz"))
    told = opened_parts(open_page, tmp_path / "runs")
    assert told["stance"] == []
    for part in ("attention", "cascades"):
        assert "Nobody writes under degroot, lorenz" in told[part][0].replace("\\", "")


def test_an_unfinished_run_says_that_there_is_nothing_yet(open_page: OpenPage, tmp_path: Path) -> None:
    run = made_run(tmp_path / "runs" / "early", measures, seeds=(0,))
    for cell in run.cells():
        unfinish(run, cell.key)
    app = open_page("stance", tmp_path / "runs")
    assert not app.exception
    assert "No cell is finished yet" in app.info[0].value


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run whose first post is markup."""
    run = made_run(tmp_path_factory.mktemp("made") / "runs" / "hostile", measures, seeds=(0,), steps=3)
    for cell in run.cells():
        write_platform(cell.database, TABLES)
    return run


def test_markup_in_posts_reaches_no_figure_unescaped(hostile: RunDir) -> None:
    people = hostile.read_population(8)
    people["side"] = people["side"].replace({"supportive": HOSTILE})
    tree = cascade_tree(hostile.cells()[0], people, 1)
    figure = tree_chart({HOSTILE: tree}, tree.title, [HOSTILE, "skeptical"])
    assert "<img" not in figure.to_json().replace("\\u003c", "<")
    assert "&lt;img" in figure.to_json()


def test_markup_in_posts_is_text_on_the_page(open_page: OpenPage, hostile: RunDir) -> None:
    app = open_page("stance", hostile.path.parent, part="attention")
    assert app.dataframe[0].value["text"].iloc[0] == HOSTILE
    shown = [element.value for element in (*app.markdown, *app.caption, *app.info)]
    assert not any("<img" in text for text in shown)


def test_nodes_carry_panel_and_number_and_differ_in_kind_by_marker(hostile: RunDir) -> None:
    cells, people = hostile.cells(), hostile.read_population(8)
    trees = {cell.key.condition: cascade_tree(cell, people, 1) for cell in cells}
    figure = tree_chart(trees, "one post", SIDES)
    nodes = [
        tuple(data) for trace in figure.data if trace.customdata is not None for data in trace.customdata
    ]
    assert sorted(nodes) == [(panel, node) for panel in (0, 1) for node in range(4)]
    symbols = {trace.marker.symbol for trace in figure.data if trace.mode == "markers"}
    assert len(symbols) == 4  # post, repost, quote, comment
    ranges = {figure.layout.xaxis.range, figure.layout.xaxis2.range}
    assert len(ranges) == 1


def test_conditions_share_the_scale_of_the_heat_map_and_bands_keep_their_order(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", measures, steps=4)
    users = stances(run, 8)
    heat = spread_chart(spread_over_steps(users), SIDES)
    assert {trace.coloraxis for trace in heat.data} == {"coloraxis"}
    assert len(heat.data) == 4
    streams = flow_chart(flows(users, [0, 2, 4]))
    assert len(streams.data) == 2
    for stream in streams.data:
        assert sum(stream.link.value) == pytest.approx(2.0)  # everybody, between three moments
        for x in set(stream.node.x):
            places = [y for at, y in zip(stream.node.x, stream.node.y, strict=True) if at == x]
            assert places == sorted(places)
