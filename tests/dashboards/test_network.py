from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.pages import network
from dashboards.plots.network import community_chart, network_chart
from sim.run_dir import RunDir
from sim.views.community_map import community_map
from sim.views.networks import RELATION_MEANINGS, network_moment, positions
from tests.dashboards.conftest import OpenPage


def shown(app: AppTest) -> AppTest:
    assert not app.exception
    assert [box.value for box in app.error] == []
    return app


LOOKS = dict(zip(RELATION_MEANINGS, ["side", "stance", "community", "side"], strict=True))


@pytest.mark.parametrize(("relation", "by"), LOOKS.items())
def test_every_network_and_every_colouring_is_drawn(
    open_page: OpenPage, finished_run: RunDir, relation: str, by: str
) -> None:
    app = shown(open_page("network", finished_run.path.parent, relation=relation, by=by, step="3"))
    facts = app.dataframe[0].value
    assert facts.set_index("measure")["value"]["Ties"] > 0
    assert any("network of 12 agents after step 3" in text.value.replace("\\", "") for text in app.caption)


def test_the_slider_moves_through_steps_and_the_address_follows(
    open_page: OpenPage, finished_run: RunDir
) -> None:
    app = shown(open_page("network", finished_run.path.parent, relation="reply"))
    ties = [app.dataframe[0].value.set_index("measure")["value"]["Ties"]]
    for step in (2, 1, 0):
        shown(app.slider[0].set_value(step).run())
        assert app.query_params["step"] in (str(step), [str(step)])
        ties.append(app.dataframe[0].value.set_index("measure")["value"]["Ties"])
    assert ties == sorted(ties, reverse=True)
    assert ties[-1] == 0


def test_an_agent_has_a_card_and_ties(open_page: OpenPage, finished_run: RunDir) -> None:
    person = finished_run.read_population(12).iloc[4]
    app = shown(open_page("network", finished_run.path.parent, agent="4", relation="follow"))
    assert any(person["persona"] in text.value for text in app.text)
    assert any(person["handle"] in heading.value.replace("\\", "") for heading in app.subheader)
    assert list(app.dataframe[1].value.columns) == ["agent_id", "handle", "side", "direction", "weight"]


def test_large_networks_are_drawn_by_community(
    open_page: OpenPage, finished_run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "MOST_NODES", 10)
    app = shown(open_page("network", finished_run.path.parent, relation="follow"))
    assert any("Drawn by community" in text.value for text in app.caption)


def test_a_run_that_has_not_begun_says_so(open_page: OpenPage, finished_run: RunDir, tmp_path: Path) -> None:
    shutil.copytree(finished_run.path, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "cells")
    app = open_page("network", tmp_path)
    assert not app.exception
    assert any("has begun yet" in box.value for box in app.error)


def test_a_damaged_database_is_one_message(open_page: OpenPage, finished_run: RunDir, tmp_path: Path) -> None:
    shutil.copytree(finished_run.path, tmp_path / "run")
    RunDir.open(tmp_path / "run").cells()[0].database.write_bytes(b"broken")
    app = open_page("network", tmp_path)
    assert not app.exception
    assert len(app.error) == 1
    assert "platform" in app.error[0].value


def test_groups_differ_in_shape_and_not_in_colour_alone(finished_run: RunDir) -> None:
    cell = finished_run.cells()[0]
    moment = network_moment(finished_run, cell, "follow", 3, positions(cell, "follow", 12))
    for by in ("side", "stance", "community"):
        figure = network_chart(moment, by, finished_run.manifest["sides"])  # type: ignore[arg-type]
        points = [trace for trace in figure.data if trace.mode == "markers"]
        assert sum(len(trace.x) for trace in points) == 12
        assert len({trace.marker.symbol for trace in points}) == len(points)
    ring = network_chart(moment, "side", finished_run.manifest["sides"], chosen=4).data[-1]
    assert tuple(ring.x) == (moment.nodes["x"][4],)
    drawn = community_chart(community_map(cell, "follow", 3, moment), finished_run.manifest["sides"])
    assert len({trace.marker.symbol for trace in drawn.data if trace.mode == "markers"}) > 0


def test_names_are_escaped_in_what_plotly_reads_as_markup(finished_run: RunDir) -> None:
    cell = finished_run.cells()[0]
    moment = network_moment(finished_run, cell, "follow", 3, positions(cell, "follow", 12))
    hostile = moment._replace(nodes=moment.nodes.assign(handle="<b>x</b>", side="<i>"))
    figure = network_chart(hostile, "side", ["<i>", "y"], chosen=4)
    assert "<b>" not in str(figure.to_dict())
    assert "<i>" not in str(figure.to_dict())
