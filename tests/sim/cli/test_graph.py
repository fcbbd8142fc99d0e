from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest
from typer.testing import CliRunner

from sim.cli.app import app
from sim.errors import GraphError
from sim.run_dir import RunDir


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["graph", *map(str, arguments)], env={"COLUMNS": "160"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def club(tmp_path: Path) -> Path:
    """The karate club as edges.csv and labels.csv."""
    graph = nx.karate_club_graph()
    lines = [f"{a},{b}" for a, b in graph.edges()]
    (tmp_path / "edges.csv").write_text("\n".join(["source,target", *lines]) + "\n")
    labels = [f"{node},{graph.nodes[node]['club']},{graph.degree(node)}" for node in graph]
    (tmp_path / "labels.csv").write_text("\n".join(["node,club,degree", *labels]) + "\n")
    return tmp_path


def test_edges_alone_give_size_and_communities(club: Path) -> None:
    shown = call(club / "edges.csv")
    assert "34 nodes, 78 undirected edges" in shown
    assert "Louvain: modularity" in shown
    assert "E–I index" not in shown


def test_labels_add_homophily_and_controversy_and_draws_their_chance(club: Path) -> None:
    shown = call(club / "edges.csv", "--labels", club / "labels.csv", "--label", "club", "--null", 9)
    assert "chance from 9 draws" in shown
    for text in ("Modularity of the sides", "0.358", "Coleman homophily, Mr. Hi", "labels at random", "0.2"):
        assert text in shown


def test_json_holds_values_chance_and_definitions(club: Path) -> None:
    options = ("--labels", club / "labels.csv", "--label", "club", "--score", "degree", "--null", 4, "--json")
    record = json.loads(call(club / "edges.csv", *options))
    assert (record["directed"], record["draws"], record["seed"]) == (False, 4, 0)
    measures = {row["id"]: row for row in record["measures"]}
    assert measures["side_modularity"]["value"] == pytest.approx(0.3582, abs=1e-4)
    assert measures["side_modularity"]["labels_at_random"]["p_greater"] == 0.2
    assert measures["score_assortativity"]["value"] == pytest.approx(-0.4756, abs=1e-4)
    assert all(row["definition"] for row in record["measures"])
    assert call(club / "edges.csv", *options) == call(club / "edges.csv", *options)  # seeded


def test_draws_without_a_value_are_told(tmp_path: Path) -> None:
    """Two ties of one side each: dealt anew, many labels leave no boundary and so no polarization."""
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\nc,d\nd,e\ne,f\n")
    (tmp_path / "labels.csv").write_text("node,side\na,x\nb,x\nc,x\nd,y\ne,y\nf,y\n")
    arguments = (tmp_path / "edges.csv", "--labels", tmp_path / "labels.csv", "--null", 9)
    measures = {row["id"]: row for row in json.loads(call(*arguments, "--json"))["measures"]}
    test = measures["boundary_polarization"]["labels_at_random"]
    assert 0 < test["draws_with_value"] < 9
    assert f"({test['draws_with_value']} draws)" in call(*arguments)


def test_definitions_are_one_option_away(club: Path) -> None:
    shown = call(club / "edges.csv", "--labels", club / "labels.csv", "--label", "club", "--definitions")
    assert "Krackhardt and Stern 1988" in shown


def test_directed_edges_have_no_louvain_but_reciprocity(club: Path) -> None:
    shown = call(club / "edges.csv", "--directed")
    assert "directed edges" in shown
    assert "Reciprocity" in shown
    assert "Louvain" not in shown


def test_more_than_two_sides_are_told(club: Path) -> None:
    shown = call(club / "edges.csv", "--labels", club / "labels.csv", "--label", "degree")
    assert "controversy and boundary: of the two largest sides, 2 and 3" in shown


def test_a_measure_that_would_take_too_long_is_told(club: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.networks.summary.BETWEENNESS_LIMIT", 1_000)
    options = ("--labels", club / "labels.csv", "--label", "club", "--json")
    notes = json.loads(call(club / "edges.csv", *options))["notes"]
    assert notes == ["betweenness controversy left out: nodes × edges above 1,000"]


def test_a_run_has_its_networks(small_run: RunDir) -> None:
    shown = call(small_run.path, "--relation", "follow", "--cell", "zero-n8-s1")
    assert "follow network of cell zero-n8-s1" in shown
    assert "Echo chamber" in shown


def test_options_that_do_not_fit_are_refused(club: Path, small_run: RunDir) -> None:
    with pytest.raises(GraphError, match="--directed: for files of edges only"):
        call(small_run.path, "--directed")
    with pytest.raises(GraphError, match="--cell: for run directories only"):
        call(club / "edges.csv", "--cell", "lora-n8-s0")
    with pytest.raises(GraphError, match="--relation: for run directories only"):
        call(club / "edges.csv", "--relation", "follow")
    with pytest.raises(GraphError, match="give it with --labels FILE"):
        call(club / "edges.csv", "--label", "club")
