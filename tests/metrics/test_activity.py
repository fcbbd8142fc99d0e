from __future__ import annotations

import numpy as np

from metrics.activity import ACTIONS, action_counts, active_share, acts_frame, posts_per_user
from tests.metrics.frames import comments, follows, marks, posts


def test_each_row_is_one_action_and_seeds_are_none() -> None:
    acts = acts_frame(
        posts(
            [
                (1, 0, None, "a", None, 0),
                (2, 1, None, "b", None, 1),
                (3, 1, 1, "", None, 1),
                (4, 0, 1, "a", "c", 2),
            ]
        ),
        comments([(1, 1, 2, "d", 2)]),
        marks([(1, 1, 1), (2, 1, 1)]),
        marks([(0, 2, 2)]),
        follows([(0, 1, 0), (0, 2, 1)]),
    )
    assert action_counts(acts).to_dict() == {
        "create_post": 1,
        "create_comment": 1,
        "like_post": 2,
        "dislike_post": 1,
        "repost": 1,
        "quote_post": 1,
        "follow": 1,
    }
    assert active_share(acts, n_users=4) == 3 / 4
    assert posts_per_user(acts, n_users=4) == 2 / 4  # one post, one quote


def test_silence_is_a_true_zero() -> None:
    acts = acts_frame(posts([]), comments(), marks(), marks(), follows())
    assert action_counts(acts).to_dict() == dict.fromkeys(ACTIONS, 0)
    assert active_share(acts, 3) == 0.0
    assert posts_per_user(acts, 3) == 0.0


def test_nobody_has_no_share() -> None:
    acts = acts_frame(posts([]), comments(), marks(), marks(), follows())
    assert np.isnan(active_share(acts, 0))
    assert np.isnan(posts_per_user(acts, 0))
