import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import follow_graph
from agents.errors import PopulationError
from agents.follow_graph import homophilous_blocks, preferential_attachment

GRAPHS = (homophilous_blocks, preferential_attachment)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def halves(size: int) -> list[str | None]:
    return ["left", "right"] * (size // 2)


def graph(edges: pd.DataFrame, sides: list[str | None]) -> nx.DiGraph:
    made = nx.DiGraph()
    made.add_nodes_from((n, {"side": side}) for n, side in enumerate(sides))
    made.add_edges_from(edges.itertuples(index=False, name=None))
    return made


def same_side_share(edges: pd.DataFrame, sides: list[str | None]) -> float:
    labels = np.array(sides)
    return float((labels[edges["follower_id"]] == labels[edges["followee_id"]]).mean())


@pytest.mark.parametrize("make", GRAPHS)
@given(
    size=st.integers(2, 20).map(lambda n: 2 * n),
    degree=st.floats(0.05, 0.95),
    h=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_edges_are_distinct_sorted_and_never_to_oneself(
    make, size: int, degree: float, h: float, seed: int
) -> None:  # type: ignore[no-untyped-def]
    edges = make(halves(size), rng(seed), mean_degree=degree, homophily=h)
    assert list(edges.columns) == ["follower_id", "followee_id"]
    assert (edges.dtypes == "int64").all()
    assert (edges["follower_id"] != edges["followee_id"]).all()
    assert edges.equals(
        edges.drop_duplicates().sort_values(["follower_id", "followee_id"], ignore_index=True)
    )
    assert edges.isin(range(size)).all(axis=None)


@pytest.mark.parametrize("make", GRAPHS)
def test_the_same_generator_gives_the_same_graph(make) -> None:  # type: ignore[no-untyped-def]
    first, again, other = (make(halves(60), rng(s), mean_degree=5, homophily=0.7) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize(("left", "right"), [(400, 400), (200, 600)])
@pytest.mark.parametrize("h", [0.0, 0.3, 0.8, 1.0])
def test_blocks_meet_degree_and_homophily_on_both_sides(left: int, right: int, h: float) -> None:
    """Whatever the sides' sizes: d followees expected of everyone, a share h of them on the own side."""
    sides: list[str | None] = ["left"] * left + ["right"] * right
    edges = homophilous_blocks(sides, rng(), mean_degree=10, homophily=h)
    degrees = np.bincount(edges["follower_id"], minlength=800)
    for members in (slice(0, left), slice(left, None)):
        # a sum of independent draws with variance below 10 per agent: five standard errors
        assert abs(degrees[members].mean() - 10) < 5 * np.sqrt(10 / len(degrees[members]))
        own = edges[edges["follower_id"].isin(np.arange(800)[members])]
        assert abs(same_side_share(own, sides) - h) <= 5 * np.sqrt(h * (1 - h) / len(own))


def test_blocks_agree_with_networkx_on_mixing() -> None:
    """Newman's assortativity of two equal blocks is 2h − 1."""
    sides = halves(600)
    made = graph(homophilous_blocks(sides, rng(), mean_degree=12, homophily=0.8), sides)
    assert nx.number_of_selfloops(made) == 0
    assert nx.attribute_assortativity_coefficient(made, "side") == pytest.approx(0.6, abs=0.05)


def test_blocks_drawn_in_slices_are_the_blocks_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = homophilous_blocks(halves(50), rng(), mean_degree=6, homophily=0.6)
    monkeypatch.setattr(follow_graph, "_CELLS", 70)
    assert homophilous_blocks(halves(50), rng(), mean_degree=6, homophily=0.6).equals(whole)


def test_a_full_graph_is_possible() -> None:
    sides = halves(6)
    edges = homophilous_blocks(sides, rng(), mean_degree=5, homophily=2 / 5)
    assert len(edges) == 30


def test_sides_unknown_are_one_side() -> None:
    edges = homophilous_blocks([None] * 300, rng(), mean_degree=6, homophily=1)
    assert len(edges) / 300 == pytest.approx(6, abs=5 * np.sqrt(6 / 300))


@pytest.mark.parametrize(
    ("sides", "options", "said"),
    [
        (["a", "b"], {"mean_degree": 1, "homophily": 0.5}, "own side.*homophily to 0"),
        ([None] * 9, {"mean_degree": 2, "homophily": 0.8}, "other side.*homophily to 1"),
        (
            ["a"] * 3 + ["b"] * 9,
            {"mean_degree": 8, "homophily": 0.5},
            "only 2 there. Set .*mean_degree to at most 4",
        ),
        (["a"] * 4, {"mean_degree": 4, "homophily": 1}, "at most 3, since there are 4 agents"),
        (["a"] * 4, {"mean_degree": 0, "homophily": 1}, "more than 0"),
        (["a"], {"mean_degree": 1, "homophily": 1}, "since there are 1 agents"),
        (
            ["a"] * 4,
            {"mean_degree": 1, "homophily": 1.1},
            r"homophily: got 1.1; expected a number in \[0, 1\]",
        ),
        (["a"] * 4, {"mean_degree": float("nan"), "homophily": 1}, "more than 0"),
    ],
)
def test_degrees_that_cannot_be_met_are_refused_with_the_cure(
    sides: list[str | None], options: dict[str, float], said: str
) -> None:
    with pytest.raises(PopulationError, match=said):
        homophilous_blocks(sides, rng(), **options)


def test_two_agents_follow_each_other_where_they_may() -> None:
    both = pd.DataFrame({"follower_id": [0, 1], "followee_id": [1, 0]})
    assert homophilous_blocks(["a", "a"], rng(), mean_degree=1, homophily=1).equals(both)
    assert homophilous_blocks(["a", "b"], rng(), mean_degree=1, homophily=0).equals(both)
    assert preferential_attachment(["a", "b"], rng(), mean_degree=1).equals(both)


def test_two_agents_apart_have_no_edge_under_full_homophily() -> None:
    assert preferential_attachment(["a", "b"], rng(), mean_degree=1, homophily=1).empty


@pytest.mark.parametrize("degree", [1, 4, 2.5])
def test_attachment_meets_the_degree(degree: float) -> None:
    edges = preferential_attachment(halves(1_000), rng(), mean_degree=degree)
    degrees = np.bincount(edges["follower_id"], minlength=1_000)
    assert set(degrees) == {int(np.floor(degree)), int(np.ceil(degree))}
    assert degrees.mean() == pytest.approx(degree, abs=0.08)  # 5 · √(0.25 / 1000)


def test_attachment_has_the_heavy_tail_that_blocks_lack() -> None:
    """Gini of followers: Poisson(8) gives 0.19; the most followed of attachment hold far more."""
    sides = halves(1_000)
    followers = [
        np.bincount(make(sides, rng(), mean_degree=8, homophily=0.5)["followee_id"], minlength=1_000)
        for make in GRAPHS
    ]
    assert followers[0].max() < 30
    assert followers[1].max() > 150


def test_early_arrivals_are_followed_most_as_in_the_model_of_price() -> None:
    """With d = 1 and weight followers + 1, newcomer i + 1 picks the first of i arrivals with chance (k + 1)/(2i)."""
    top = np.mean(
        [
            np.bincount(preferential_attachment([None] * 60, rng(s), mean_degree=1)["followee_id"]).max()
            for s in range(60)
        ]
    )
    uniform = np.mean(
        [np.bincount([int(rng(s * 100 + n).integers(0, n)) for n in range(1, 60)]).max() for s in range(60)]
    )
    assert top > 1.5 * uniform


@pytest.mark.parametrize(
    ("h", "low", "high"), [(0.5, 0.45, 0.55), (0.8, 0.7, 0.85), (0.2, 0.15, 0.3), (1.0, 1, 1), (0.0, 0, 0)]
)
def test_attachment_prefers_the_own_side_by_weight(h: float, low: float, high: float) -> None:
    sides = halves(1_000)
    edges = preferential_attachment(sides, rng(1), mean_degree=4, homophily=h)
    assert low <= same_side_share(edges, sides) <= high


def test_attachment_refuses_what_blocks_refuse() -> None:
    with pytest.raises(PopulationError, match="mean_degree"):
        preferential_attachment(["a", "b"], rng(), mean_degree=2)
    with pytest.raises(PopulationError, match="homophily"):
        preferential_attachment(["a", "b"], rng(), mean_degree=1, homophily=-0.1)
