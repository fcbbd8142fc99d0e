from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.diffusion import NO_PARENT, cascade_nodes, cascade_shapes
from metrics.errors import MetricInputError
from tests.metrics.frames import comments, follows, posts, random_cell

trees = st.lists(st.integers(0, 10**6), min_size=1, max_size=25).map(
    lambda draws: np.array([NO_PARENT] + [draw % (k + 1) for k, draw in enumerate(draws[1:])], dtype=np.int64)
)


def parents(*of: int) -> np.ndarray:
    return np.array(of, dtype=np.int64)


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        (parents(-1), (1, 0, 1, np.nan)),
        (parents(-1, 0), (2, 1, 1, 1.0)),
        # a star of n: n − 1 pairs at 1, the other (n − 1)(n − 2)/2 at 2: mean 2(n − 1)/n = 1.5 for 4
        (parents(-1, 0, 0, 0), (4, 1, 3, 1.5)),
        # a chain of n: (n + 1)/3 = 5/3 for 4
        (parents(-1, 0, 1, 2), (4, 3, 1, 5 / 3)),
        # 0 → 1 → {2, 3}: 3 pairs at 1, 3 pairs at 2 (0–2, 0–3, 2–3): 9/6
        (parents(-1, 0, 1, 1), (4, 2, 2, 1.5)),
    ],
)
def test_shapes_of_known_trees(parent: np.ndarray, expected: tuple[float, ...]) -> None:
    assert [column[0] for column in cascade_shapes(parent)[1:]] == pytest.approx(list(expected), nan_ok=True)


@settings(deadline=None, max_examples=60)
@given(st.lists(trees, min_size=1, max_size=4))
def test_every_tree_of_a_forest_agrees_with_networkx(forest: list[np.ndarray]) -> None:
    start = np.cumsum([0, *map(len, forest)])
    joined = np.concatenate(
        [np.where(t == NO_PARENT, NO_PARENT, t + s) for t, s in zip(forest, start[:-1], strict=True)]
    )
    shape = cascade_shapes(joined)
    assert shape.root.tolist() == start[:-1].tolist()
    for place, tree in enumerate(forest):
        graph = nx.Graph([(k, int(p)) for k, p in enumerate(tree) if p != NO_PARENT])
        graph.add_node(0)
        distance = nx.single_source_shortest_path_length(graph, 0)
        rings = np.bincount(list(distance.values()))
        assert (shape.size[place], shape.depth[place]) == (len(tree), max(distance.values()))
        assert shape.breadth[place] == rings.max()
        if len(tree) > 1:
            assert shape.virality[place] == pytest.approx(nx.average_shortest_path_length(graph))
        else:
            assert np.isnan(shape.virality[place])


@settings(deadline=None, max_examples=40)
@given(trees.filter(lambda tree: len(tree) > 1))
def test_virality_lies_between_the_stars_and_the_chains(tree: np.ndarray) -> None:
    n = len(tree)
    assert 2 * (n - 1) / n - 1e-9 <= cascade_shapes(tree).virality[0] <= (n + 1) / 3 + 1e-9


def test_no_nodes_have_no_shape() -> None:
    assert all(len(column) == 0 for column in cascade_shapes(parents()))


def test_parents_must_come_first() -> None:
    with pytest.raises(MetricInputError, match="before its child"):
        cascade_shapes(parents(-1, 2, 0))


POSTS = posts(
    [
        (1, 0, None, "a", None, 0),
        (2, 1, 1, "", None, 1),  # repost
        (3, 2, 1, "a", "b", 2),  # quote
        (4, 3, 1, "", None, 3),  # repost
        (5, 4, None, "c", None, 3),
    ]
)
COMMENTS = comments([(1, 1, 4, "x", 1), (2, 3, 4, "y", 3)])


def test_the_platforms_record_hangs_shares_on_the_original_and_comments_on_what_they_answer() -> None:
    nodes = cascade_nodes(POSTS, COMMENTS)
    # rows: post 1, repost 2, comment on 1, quote 3, repost 4, post 5, comment on quote 3
    assert nodes["kind"].tolist() == ["post", "repost", "comment", "quote", "repost", "post", "comment"]
    assert nodes["parent"].tolist() == [-1, 0, 0, 0, 0, -1, 3]
    assert nodes["root"].tolist() == [0, 0, 0, 0, 0, 5, 0]


def test_every_node_names_its_row_in_the_table_that_it_comes_from() -> None:
    nodes = cascade_nodes(POSTS, COMMENTS)
    for kind, place, user in nodes[["kind", "place", "user_id"]].itertuples(index=False):
        table = COMMENTS if kind == "comment" else POSTS
        assert table["user_id"].iloc[place] == user
    said = nodes[nodes["kind"] != "comment"]
    assert sorted(said["place"]) == list(range(len(POSTS)))


def test_with_a_follow_graph_a_share_hangs_on_the_last_followed_sharer() -> None:
    # user 2 follows user 1; user 3 follows users 1 and 2: the quote of user 2 is the later
    graph = follows([(2, 1, 0), (3, 1, 0), (3, 2, 0)])
    assert cascade_nodes(POSTS, COMMENTS, graph)["parent"].tolist() == [-1, 0, 0, 1, 3, -1, 3]
    # a follow of the same step, or a later one, has shown nothing yet
    late = follows([(2, 1, 2), (3, 1, 0), (3, 2, 3)])
    assert cascade_nodes(POSTS, COMMENTS, late)["parent"].tolist() == [-1, 0, 0, 0, 1, -1, 3]


def test_shares_of_one_step_do_not_see_each_other() -> None:
    table = posts([(1, 0, None, "a", None, 0), (2, 1, 1, "", None, 1), (3, 2, 1, "", None, 1)])
    graph = follows([(2, 1, 0)])
    assert cascade_nodes(table, comments(), graph)["parent"].tolist() == [-1, 0, 0]


def test_the_inferred_forest_has_the_same_trees_and_only_earlier_parents() -> None:
    cell = random_cell(np.random.default_rng(4), 30, 8, activity=0.9)
    recorded = cascade_nodes(cell.posts, cell.comments)
    everybody = follows([(a, b, 0) for a in range(30) for b in range(30) if a != b])
    inferred = cascade_nodes(cell.posts, cell.comments, everybody)
    assert inferred["root"].equals(recorded["root"])
    assert not inferred["parent"].equals(recorded["parent"])
    parent = inferred["parent"].to_numpy()
    assert (parent < np.arange(len(parent))).all()
    np.testing.assert_array_equal(
        cascade_shapes(parent).size, cascade_shapes(recorded["parent"].to_numpy()).size
    )


def test_the_inferred_parents_are_those_found_by_looking_at_every_node() -> None:
    rng = np.random.default_rng(5)
    cell = random_cell(rng, 25, 20, activity=0.9)
    pairs = [(a, b) for a in range(25) for b in range(25) if a != b and rng.random() < 0.8]
    ties = [(a, b, int(rng.integers(4))) for a, b in pairs]
    nodes = cascade_nodes(cell.posts, cell.comments, follows(ties))
    recorded = cascade_nodes(cell.posts, cell.comments)["parent"]
    rows = list(nodes.itertuples())
    moved = 0
    for row in rows:
        expected = recorded[row.Index]
        if expected != NO_PARENT and row.kind != "comment":
            followed = {b for a, b, when in ties if a == row.user_id and when < row.step}
            heard = [
                other.Index
                for other in rows
                if other.root == row.root and other.kind != "comment" and other.step < row.step
                if other.user_id in followed
            ]
            expected = max(heard, default=expected)
        moved += expected != recorded[row.Index]
        assert row.parent == expected
    assert moved > 0


def test_a_cascade_of_ten_thousand_is_no_matter_of_all_its_pairs() -> None:
    """Everybody follows the user before; 500 share at each of 20 steps. All pairs would take gigabytes."""
    users = np.arange(1, 10_001)
    step = 1 + (users - 1) % 20
    shares = [(int(u) + 1, int(u), 1, "", None, int(s)) for u, s in zip(users, step, strict=True)]
    table = posts([(1, 0, None, "a", None, 0), *shares])
    graph = follows([(int(u), int(u) - 1, 0) for u in users[1:]])
    nodes = cascade_nodes(table, comments(), graph)
    sharer = nodes["user_id"].to_numpy()
    first = nodes["step"].to_numpy() <= 1
    assert (nodes["parent"][first].iloc[1:] == 0).all()
    assert (sharer[nodes["parent"][~first]] == sharer[~first] - 1).all()


def test_without_posts_there_are_no_nodes() -> None:
    assert cascade_nodes(posts([]), comments()).empty
    assert cascade_nodes(posts([]), comments(), follows()).empty


def test_impossible_tables_are_refused() -> None:
    with pytest.raises(MetricInputError, match="post 9, which is not in posts"):
        cascade_nodes(posts([(1, 0, None, "a", None, 0)]), comments([(1, 9, 0, "x", 1)]))
    early = posts([(2, 1, 1, "", None, 0), (1, 0, None, "a", None, 1)])
    with pytest.raises(MetricInputError, match="order rows by time"):
        cascade_nodes(early, comments())
