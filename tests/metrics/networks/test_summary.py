from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.networks import summary as summary_module
from metrics.networks.measures import NETWORK_MEASURES, Labels
from metrics.networks.summary import Row, summarise_network
from tests.metrics.networks.graphs import draw_sides, karate, make, networks, real, to_networkx


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def by_id(rows: list[Row]) -> dict[str, Row]:
    assert len({row.id for row in rows}) == len(rows)
    return {row.id: row for row in rows}


def test_the_karate_club_in_numbers_that_are_known() -> None:
    network, club, expected = karate()
    rows = by_id(summarise_network(network, Labels(side=club), rng=rng(), restarts=10))
    assert (rows["nodes"].value, rows["edges"].value) == (34, 78)
    assert rows["mean_degree"].value == pytest.approx(2 * 78 / 34)
    assert rows["density"].value == pytest.approx(nx.density(to_networkx(network)))
    assert rows["leiden_modularity"].value == pytest.approx(0.4198, abs=1e-4)
    assert rows["leiden_communities"].value == 4
    assert rows["side_modularity"].value == pytest.approx(expected["q_label"], abs=1e-4)
    assert rows["side_assortativity"].value == pytest.approx(expected["assort"], abs=1e-4)
    assert rows["same_side_pairs"].value == pytest.approx(2 * 17 * 16 / (34 * 33))
    assert {"coleman_homophily[Mr. Hi]", "coleman_homophily[Officer]"} < set(rows)
    assert all(row.labels_at_random is None and row.wiring_at_random is None for row in rows.values())


@settings(deadline=None, max_examples=25)
@given(st.data(), st.booleans(), st.integers(0, 1000))
def test_every_value_is_in_its_range_or_missing(data: st.DataObject, directed: bool, seed: int) -> None:
    network = data.draw(networks(directed=directed))
    score = rng(seed).uniform(-1, 1, network.n)
    labels = Labels(draw_sides(network, seed, kinds=3), score)
    rows = by_id(summarise_network(network, labels, rng=rng(seed), restarts=2))
    for measure in NETWORK_MEASURES:
        if measure.id in rows:
            value = rows[measure.id].value
            assert np.isnan(value) or measure.low - 1e-9 <= value <= measure.high + 1e-9
    assert ("reciprocity" in rows) == directed
    assert ("louvain_modularity" in rows) != directed


def test_only_what_applies_is_measured() -> None:
    network, _, _ = karate()
    rows = by_id(summarise_network(network, Labels(), rng=rng()))
    assert not set(rows) & {measure.id for measure in NETWORK_MEASURES}
    one_side = by_id(summarise_network(network, Labels(np.full(34, "a", dtype=object)), rng=rng()))
    assert "ei_index" in one_side
    assert "random_walk_controversy" not in one_side
    scored = by_id(summarise_network(network, Labels(score=np.arange(34.0)), rng=rng()))
    assert {"score_assortativity", "echo_chamber"} < set(scored)


def test_two_sides_are_the_most_frequent_ones() -> None:
    side = np.array(["b", "a", "c", "b", None, "a", "b"], dtype=object)
    both = Labels(side).two_sides
    assert both is not None
    assert [value if isinstance(value, str) else None for value in both] == [
        "b", "a", None, "b", None, "a", "b",
    ]  # fmt: skip


def test_chance_comes_with_every_measure_that_can_be_drawn() -> None:
    network, club, _ = karate()
    calls = []
    labels = Labels(club, np.where(club == "Officer", 1.0, -1.0))
    rows = by_id(
        summarise_network(
            network, labels, rng=rng(), draws=19, restarts=2, progress=lambda *told: calls.append(told)
        )
    )
    assert calls[:4] == [("community searches", done, 3) for done in range(4)]
    # draws of sides, of the two sides, of scores and of networks
    assert calls[4:] == [("null models", done, 4 * 19) for done in range(1, 4 * 19 + 1)]
    for measure in NETWORK_MEASURES:
        row = rows[measure.id]
        if not measure.quick:
            assert row.labels_at_random is None
            continue
        assert row.labels_at_random is not None
        assert row.wiring_at_random is not None
        assert row.labels_at_random.observed == pytest.approx(row.value)
    sides = rows["side_modularity"]
    assert sides.labels_at_random is not None
    assert sides.labels_at_random.p_greater == 1 / 20
    best = rows["leiden_modularity"]
    assert best.labels_at_random is None
    assert best.wiring_at_random is not None
    assert 0.2 < best.wiring_at_random.mean < best.value


def test_the_same_seed_gives_the_same_summary() -> None:
    network, club, _ = karate()
    one, other = (summarise_network(network, Labels(club), rng=rng(5), draws=3, restarts=2) for _ in range(2))
    assert str(one) == str(other)


def test_betweenness_is_left_out_where_it_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    network, club, _ = karate()
    monkeypatch.setattr(summary_module, "BETWEENNESS_LIMIT", 34 * 78 - 1)
    rows = by_id(summarise_network(network, Labels(club), rng=rng()))
    assert "betweenness_controversy" not in rows


def test_a_network_without_edges_has_a_summary_without_values() -> None:
    rows = by_id(summarise_network(make(3, []), Labels(np.array(["a", "b", "a"], dtype=object)), rng=rng()))
    assert rows["edges"].value == 0
    assert np.isnan([rows["leiden_modularity"].value, rows["random_walk_controversy"].value]).all()


@pytest.mark.parametrize("name", ["polblogs", "congress117"])
def test_real_networks_have_their_expected_values(shared_data: Path, name: str) -> None:
    network, side, expected = real(shared_data, name)
    rows = by_id(summarise_network(network, Labels(side), rng=rng()))
    assert (rows["nodes"].value, rows["edges"].value) == (expected["n"], expected["m"])
    assert rows["side_modularity"].value == pytest.approx(expected["q_label"], abs=1e-4)
    assert rows["side_assortativity"].value == pytest.approx(expected["assort"], abs=1e-4)
    for method in ("leiden", "louvain"):
        assert rows[f"{method}_modularity"].value >= expected["louvain_q_seeds_1_to_10"][0] - 5e-5
