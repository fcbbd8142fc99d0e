from __future__ import annotations

import pytest

from metrics.networks.partitions import ISOLATED
from sim.run_dir import CellDir, RunDir
from sim.run_graphs import RELATIONS
from sim.views.community_map import CommunityMap, community_map, members
from sim.views.networks import NetworkMoment, network_at, network_moment, positions


@pytest.fixture
def cell(small_run: RunDir) -> CellDir:
    return small_run.cells()[0]


def mapped(run: RunDir, cell: CellDir, relation: str, step: int) -> tuple[NetworkMoment, CommunityMap]:
    moment = network_moment(run, cell, relation, step, positions(cell, relation, 8))
    return moment, community_map(cell, relation, step, moment)


@pytest.mark.parametrize("relation", RELATIONS)
def test_everybody_with_ties_is_in_one_community_and_ties_between_them_add_up(
    small_run: RunDir, cell: CellDir, relation: str
) -> None:
    moment, drawn = mapped(small_run, cell, relation, 2)
    linked = moment.nodes[moment.nodes["community"] != ISOLATED]
    assert drawn.nodes["agents"].sum() == len(linked)
    source, target, weight = network_at(cell, relation, 8, 2).edges
    label = moment.nodes["community"].to_numpy()
    assert drawn.edges["weight"].sum() == weight[label[source] != label[target]].sum()
    for row in drawn.nodes.to_dict("records"):
        inside = members(moment, row["community"])
        assert len(inside) == row["agents"]
        assert (inside["side"] == row["side"]).mean() == pytest.approx(row["side_share"])
        assert inside["stance"].mean() == pytest.approx(row["stance"], nan_ok=True)
        assert inside["degree"].is_monotonic_decreasing


def test_a_network_without_ties_has_no_communities(small_run: RunDir, cell: CellDir) -> None:
    _, drawn = mapped(small_run, cell, "co-engagement", 0)
    assert drawn.nodes.empty
    assert drawn.edges.empty
