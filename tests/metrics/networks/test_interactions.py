from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.engagement import engagements
from metrics.errors import MetricInputError
from metrics.networks import co_engagement_network, follow_network, reply_network, repost_network
from tests.metrics.frames import comments, follows, marks, posts

USERS = pd.Index([10, 11, 12, 13], name="user_id")
POSTS = posts(
    [
        (1, 10, None, "a", None, 0),
        (2, 11, 1, "", None, 1),  # 11 reposts 10
        (3, 12, 1, "a", "hm", 2),  # 12 quotes 10
        (4, 13, 3, "", None, 2),  # 13 reposts the quote of 12
        (5, 13, 2, "", None, 3),  # 13 reposts the repost: the words of 10
        (6, 10, 1, "", None, 3),  # 10 reposts 10
    ]
)


def arcs(network: object) -> dict[tuple[int, int], float]:
    source, target, weight = network.edges
    return dict(zip(zip(USERS[source], USERS[target], strict=True), weight.tolist(), strict=True))


def test_follows_run_from_follower_to_followee_once() -> None:
    table = follows([(10, 11, 0), (11, 10, 1), (10, 11, 2), (12, 12, 1)])
    network = follow_network(table, USERS)
    assert network.directed
    assert arcs(network) == {(10, 11): 1.0, (11, 10): 1.0}


def test_replies_run_to_the_author_of_the_words() -> None:
    table = comments([(1, 2, 12, "x", 1), (2, 1, 12, "y", 2), (3, 3, 10, "z", 3), (4, 1, 10, "me", 3)])
    # 12 comments on the repost of 10's words and on the original; 10 on the quote; one's own does not count.
    acts = engagements(POSTS, table, marks(), marks())
    assert arcs(reply_network(acts, USERS)) == {(12, 10): 2.0, (10, 12): 1.0}
    assert arcs(reply_network(acts[acts["step"] <= 1], USERS)) == {(12, 10): 1.0}


def test_reposts_run_to_the_author_of_the_words_and_quotes_are_none() -> None:
    acts = engagements(POSTS, comments(), marks(), marks())
    assert arcs(repost_network(acts, USERS)) == {(11, 10): 1.0, (13, 12): 1.0, (13, 10): 1.0}


def test_a_weight_is_the_number_of_posts_in_common_however_often_touched() -> None:
    acts = pd.DataFrame(
        [(0, 7, 1, "like"), (0, 7, 2, "comment"), (1, 7, 1, "like"), (1, 8, 1, "like"), (0, 8, 1, "like")],
        columns=["user_id", "post_id", "step", "kind"],
    )
    expected = [[0, 2, 0], [2, 0, 0], [0, 0, 0]]  # users 0 and 1 share posts 7 and 8; user 2 met nobody
    network = co_engagement_network(acts, pd.RangeIndex(3))
    assert network.weights.toarray().tolist() == expected
    assert not network.directed


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=40))
def test_the_network_equals_counting_pair_by_pair(pairs: list[tuple[int, int]]) -> None:
    acts = pd.DataFrame(pairs, columns=["user_id", "post_id"], dtype="int64")
    met = {user: {post for u, post in pairs if u == user} for user in range(6)}
    counted = [[len(met[a] & met[b]) if a != b else 0 for b in range(6)] for a in range(6)]
    assert np.array_equal(co_engagement_network(acts, pd.RangeIndex(6)).weights.toarray(), counted)


def test_nothing_done_gives_networks_without_edges() -> None:
    acts = engagements(posts([]), comments(), marks(), marks())
    networks = (
        follow_network(follows(), USERS),
        reply_network(acts, USERS),
        repost_network(acts, USERS),
        co_engagement_network(acts, USERS),
    )
    assert [(network.n, network.m) for network in networks] == [(4, 0)] * 4


def test_users_who_are_not_listed_are_refused() -> None:
    with pytest.raises(MetricInputError, match="followee_id: 99 is not among the users"):
        follow_network(follows([(10, 99, 0)]), USERS)
    with pytest.raises(MetricInputError, match="user_id: 99 is not among the users"):
        reply_network(engagements(POSTS, comments([(1, 1, 99, "x", 1)]), marks(), marks()), USERS)
    with pytest.raises(MetricInputError, match="user_id: 9 is not among the users"):
        co_engagement_network(pd.DataFrame({"user_id": [9], "post_id": [1]}), USERS)
