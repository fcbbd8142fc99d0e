from __future__ import annotations

import pytest

from metrics.engagement import engagements
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
    assert list(acts.columns) == ["user_id", "post_id", "author_id", "step", "kind"]
    assert sorted(acts.itertuples(index=False, name=None)) == [
        (1, 1, 0, 1, "repost"),
        (2, 1, 0, 2, "quote"),
        (3, 1, 0, 3, "comment"),  # on the repost 2: engages with 1
        (3, 3, 2, 2, "repost"),
        (3, 3, 2, 3, "like"),  # of the repost 4: engages with the quote 3
    ]


def test_dislikes_count_only_when_asked_for() -> None:
    table = (POSTS, comments(), marks(), marks([(3, 1, 3)]))
    assert "dislike" not in set(engagements(*table)["kind"])
    assert set(engagements(*table, kinds=["dislike"])["kind"]) == {"dislike"}


def test_ones_own_posts_are_no_engagement() -> None:
    acts = engagements(POSTS[:1], comments([(1, 1, 0, "me", 1)]), marks([(0, 1, 1)]), marks())
    assert acts.empty


def test_nothing_done_gives_an_empty_table() -> None:
    assert engagements(posts([]), comments(), marks(), marks()).empty


def test_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(MetricInputError, match="expected some of"):
        engagements(POSTS, comments(), marks(), marks(), kinds=["share"])
    with pytest.raises(MetricInputError, match="like: user 3 acts on post 99"):
        engagements(POSTS, comments(), marks([(3, 99, 1)]), marks())
