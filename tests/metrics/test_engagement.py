from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.engagement import co_engagement, engagements
from metrics.errors import MetricInputError
from tests.metrics.frames import comments, marks, posts

POSTS = posts(
    [
        (1, 0, None, "a", None, 0),
        (2, 1, 1, "", None, 1),  # user 1 reposts 1
        (3, 2, 1, "a", "hm", 2),  # user 2 quotes 1
        (4, 3, 3, "", None, 2),  # user 3 reposts the quote
    ]
)


def test_sharing_commenting_and_liking_engage_with_the_post_that_carries_the_words() -> None:
    acts = engagements(POSTS, comments([(1, 2, 3, "so", 3)]), marks([(3, 4, 3)]), marks([(3, 1, 3)]))
    assert sorted(acts.itertuples(index=False, name=None)) == [
        (1, 1, 1, "repost"),
        (2, 1, 2, "quote"),
        (3, 1, 3, "comment"),  # on the repost 2: engages with 1
        (3, 3, 2, "repost"),
        (3, 3, 3, "like"),  # of the repost 4: engages with the quote 3
    ]


def test_dislikes_count_only_when_asked_for() -> None:
    table = (POSTS, comments(), marks(), marks([(3, 1, 3)]))
    assert "dislike" not in set(engagements(*table)["kind"])
    assert set(engagements(*table, kinds=["dislike"])["kind"]) == {"dislike"}


def test_ones_own_posts_are_no_engagement() -> None:
    acts = engagements(POSTS[:1], comments([(1, 1, 0, "me", 1)]), marks([(0, 1, 1)]), marks())
    assert acts.empty


def test_a_weight_is_the_number_of_posts_in_common_however_often_touched() -> None:
    acts = pd.DataFrame(
        [(0, 7, 1, "like"), (0, 7, 2, "comment"), (1, 7, 1, "like"), (1, 8, 1, "like"), (0, 8, 1, "like")],
        columns=["user_id", "post_id", "step", "kind"],
    )
    expected = [[0, 2, 0], [2, 0, 0], [0, 0, 0]]  # users 0 and 1 share posts 7 and 8; user 2 met nobody
    assert co_engagement(acts, pd.RangeIndex(3)).toarray().tolist() == expected


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=40))
def test_the_graph_equals_counting_pair_by_pair(pairs: list[tuple[int, int]]) -> None:
    acts = pd.DataFrame(pairs, columns=["user_id", "post_id"], dtype="int64")
    met = {user: {post for u, post in pairs if u == user} for user in range(6)}
    counted = [[len(met[a] & met[b]) if a != b else 0 for b in range(6)] for a in range(6)]
    assert np.array_equal(co_engagement(acts, pd.RangeIndex(6)).toarray(), counted)


def test_no_engagement_gives_a_graph_without_edges() -> None:
    acts = engagements(posts([]), comments(), marks(), marks())
    assert co_engagement(acts, pd.RangeIndex(3)).nnz == 0


def test_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(MetricInputError, match="expected some of"):
        engagements(POSTS, comments(), marks(), marks(), kinds=["share"])
    with pytest.raises(MetricInputError, match="like: user 3 acts on post 99"):
        engagements(POSTS, comments(), marks([(3, 99, 1)]), marks())
    with pytest.raises(MetricInputError, match="user_id: 9 is not among the users"):
        co_engagement(pd.DataFrame({"user_id": [9], "post_id": [1]}), pd.RangeIndex(3))
