from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.networks import Network
from metrics.networks.partitions import ISOLATED
from sim.errors import RunDirError
from sim.platform_tables import read_tables
from sim.run_dir import CellDir, RunDir
from sim.run_graphs import RELATIONS, read_run_network
from sim.views import networks
from sim.views.networks import NetworkMoment, force_layout, network_moment, positions, spread, ties_of

SIZE = 8


@pytest.fixture
def cell(small_run: RunDir) -> CellDir:
    return small_run.cells()[0]


def moment(run: RunDir, cell: CellDir, relation: str, step: int) -> NetworkMoment:
    return network_moment(run, cell, relation, step, positions(cell, relation, SIZE))


def value(frame: pd.DataFrame, measure: str) -> float:
    return float(frame.set_index("measure")["value"][measure])


def test_every_relation_has_a_meaning() -> None:
    assert set(networks.RELATION_MEANINGS) == set(RELATIONS)


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_last_step_is_the_network_of_plures_graph(
    small_run: RunDir, cell: CellDir, relation: str
) -> None:
    whole = read_run_network(small_run, relation, cell.key.id)
    shown = moment(small_run, cell, relation, 2)
    source, target, weight = whole.network.edges
    expected = pd.DataFrame({"source": source, "target": target, "weight": weight})
    drawn = shown.edges.sort_values(["source", "target"], ignore_index=True)
    pd.testing.assert_frame_equal(drawn, expected, check_dtype=False)
    assert shown.edges_in_all == whole.network.m
    assert shown.nodes["handle"].tolist() == list(whole.names)
    assert whole.labels.score is not None
    assert shown.nodes["stance"].to_numpy() == pytest.approx(whole.labels.score, nan_ok=True)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_co_engagement_is_told_as_the_run_measured_it(small_run: RunDir, step: int) -> None:
    """The same communities, found by the same search, at every step of every cell."""
    told = {
        "co_engagement_modularity": "Modularity",
        "effective_communities": "Effective communities",
        "community_count": "Communities",
        "community_side_homophily": "Same-side pairs within communities",
        "co_engagement_assortativity": "Assortativity of the sides",
        "co_engagement_ei": "E–I index",
    }
    for cell in small_run.cells():
        measured = cell.read_metrics().query("step == @step").set_index("metric")["value"]
        facts = moment(small_run, cell, "co-engagement", step).facts
        for metric, measure in told.items():
            assert value(facts, measure) == pytest.approx(measured[metric], nan_ok=True), (
                cell.key.id,
                metric,
            )


def test_nothing_of_later_steps_is_shown(small_run: RunDir, cell: CellDir) -> None:
    follows = read_tables(cell.database).follows
    for step in (0, 1, 2):
        so_far = follows[follows["created_at"] <= step].drop_duplicates(["follower_id", "followee_id"])
        shown = moment(small_run, cell, "follow", step)
        assert shown.edges_in_all == len(so_far)
        assert int(shown.nodes["degree"].sum()) == 2 * len(so_far)


def test_nobody_moves_while_steps_go_by(small_run: RunDir, cell: CellDir) -> None:
    first, last = (moment(small_run, cell, "co-engagement", step).nodes for step in (0, 2))
    assert first[["x", "y"]].equals(last[["x", "y"]])
    assert np.hypot(last["x"], last["y"]).max() <= 1.0 + 1e-9


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_layout_is_the_same_every_time(cell: CellDir, relation: str) -> None:
    assert np.array_equal(positions(cell, relation, SIZE), positions(cell, relation, SIZE))


def test_tied_nodes_lie_nearer_than_others() -> None:
    """Two cliques of six, one tie between them."""
    pairs = [(a, b) for group in (range(6), range(6, 12)) for a in group for b in group if a < b]
    network = Network.from_edges([a for a, _ in pairs] + [0], [b for _, b in pairs] + [6], 12)
    places = force_layout(network, 0)
    distance = np.hypot(*(places[:, None] - places[None, :]).transpose(2, 0, 1))
    inside = np.mean([distance[a, b] for a, b in pairs])
    assert inside < distance[:6, 6:].mean()
    assert np.abs(places).max() <= 1.0 + 1e-9


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=30, unique=True))
def test_spreading_keeps_directions_and_the_order_of_distances(points: list[tuple[float, float]]) -> None:
    before = np.array(points)
    centred = before - np.median(before, axis=0)
    after = spread(before)
    assert np.hypot(*after.T).max() <= 1.0 + 1e-9
    for old, new in zip(centred, after, strict=True):
        if np.hypot(*old) > 1e-6:
            assert old[0] * new[1] - old[1] * new[0] == pytest.approx(0.0, abs=1e-6 * np.hypot(*old))
            assert float(old @ new) >= 0
    order = np.argsort(np.hypot(*centred.T), kind="stable")
    assert (np.diff(np.hypot(*after.T)[order]) >= -1e-9).all()


def test_stances_and_communities_are_unknown_where_there_are_none(
    small_run: RunDir, cell: CellDir, tmp_path: Path
) -> None:
    shutil.copytree(small_run.path, tmp_path / "run")
    run = RunDir.open(tmp_path / "run")
    running = run.cells()[0]
    running.stance_file.unlink()
    nodes = moment(run, running, "co-engagement", 2).nodes
    assert set(nodes["leaning"]) == {"unknown"}
    early = moment(run, running, "co-engagement", 0)
    assert set(early.nodes["community"]) == {ISOLATED}
    assert early.alt.endswith("after step 0: nobody is tied to anybody yet.")


def test_leanings_part_stances_at_a_third(small_run: RunDir, cell: CellDir) -> None:
    nodes = moment(small_run, cell, "follow", 2).nodes
    expected = [
        "unknown" if np.isnan(s) else "positive" if s > 1 / 3 else "negative" if s < -1 / 3 else "between"
        for s in nodes["stance"]
    ]
    assert nodes["leaning"].tolist() == expected


@pytest.mark.parametrize("relation", ["follow", "co-engagement"])
def test_an_agents_ties_are_those_of_the_picture(small_run: RunDir, cell: CellDir, relation: str) -> None:
    shown = moment(small_run, cell, relation, 2)
    for agent_id, degree in zip(shown.nodes["agent_id"], shown.nodes["degree"], strict=True):
        ties = ties_of(small_run, cell, relation, 2, int(agent_id))
        assert len(ties) == degree
        assert ties["weight"].is_monotonic_decreasing
        out = ties[ties["direction"] != "from"]["agent_id"]
        ends = shown.edges[shown.edges["source"] == agent_id]["target"]
        assert set(ends) <= set(out)


def test_only_the_heaviest_ties_are_drawn(
    small_run: RunDir, cell: CellDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "MOST_EDGES", 3)
    whole = read_run_network(small_run, "co-engagement", cell.key.id).network.edges.weight
    shown = moment(small_run, cell, "co-engagement", 2)
    assert shown.edges["weight"].tolist() == sorted(whole, reverse=True)[:3]
    assert shown.edges_in_all == len(whole)
    assert "The heaviest 3 are drawn." in shown.alt


def test_a_damaged_database_is_named(small_run: RunDir, cell: CellDir, tmp_path: Path) -> None:
    broken = CellDir(cell.key, tmp_path)
    broken.database.write_bytes(b"no database")
    with pytest.raises(RunDirError, match=r"platform\.db: no readable platform database"):
        positions(broken, "follow", SIZE)


def test_views_load_no_torch() -> None:
    code = """
import sys
import sim.views.networks, sim.views.community_map, sim.views.agents, sim.views.agent_across, sim.views.interviews
print(sorted({"torch", "transformers", "igraph", "oasis", "streamlit"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
