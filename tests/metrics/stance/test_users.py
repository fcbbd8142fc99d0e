from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.stance import StanceWeights, stance_evidence, user_stance, user_stance_by_step
from tests.metrics.frames import NumberScorer, comments, marks, posts

USERS = pd.RangeIndex(4)
POSTS = posts(
    [
        (1, 0, None, "0.9 seed", None, 0),
        (2, 1, None, "-0.5 post", None, 1),
        (3, 1, 1, "", None, 2),  # user 1 reposts 0.9
        (4, 2, 1, "0.9 seed", "-0.3 quote", 2),
    ]
)
COMMENTS = comments([(1, 2, 0, "0.1 comment", 3)])
LIKES = marks([(2, 2, 3), (1, 2, 3)])  # user 2 likes −0.5; user 1 likes an own post
DISLIKES = marks([(0, 4, 3)])  # user 0 dislikes the quote, −0.3
EVIDENCE = stance_evidence(POSTS, COMMENTS, LIKES, DISLIKES, NumberScorer())


def test_a_user_is_the_weighted_mean_of_words_and_likes() -> None:
    stance = user_stance(EVIDENCE, USERS, StanceWeights())
    # 0: the comment; 1: (−0.5 + ½·0.9)/1.5; 2: (−0.3 + ½·−0.5)/1.5; 3: silent
    assert stance.tolist() == pytest.approx([0.1, -0.05 / 1.5, -0.55 / 1.5, np.nan], nan_ok=True)


def test_a_dislike_counts_at_minus_the_posts_stance_when_weighted() -> None:
    stance = user_stance(EVIDENCE, USERS, StanceWeights(dislike=1.0))
    assert stance[0] == pytest.approx((0.1 + 0.3) / 2)


def test_seeds_count_only_when_weighted() -> None:
    assert user_stance(EVIDENCE, USERS, StanceWeights(seed=1.0))[0] == pytest.approx((0.9 + 0.1) / 2)
    assert user_stance(EVIDENCE, USERS, StanceWeights.seeds_only())[0] == pytest.approx(0.9)


def test_liking_oneself_is_no_evidence() -> None:
    assert not ((EVIDENCE["user_id"] == 1) & (EVIDENCE["kind"] == "like")).any()


def test_steps_are_cumulative_in_any_order() -> None:
    by_step = user_stance_by_step(EVIDENCE, USERS, [3, 0, 1], StanceWeights())
    assert by_step.columns.tolist() == [3, 0, 1]
    assert by_step[0].isna().all()
    assert by_step[1].tolist() == pytest.approx([np.nan, -0.5, np.nan, np.nan], nan_ok=True)
    assert by_step[3].tolist() == pytest.approx(
        user_stance(EVIDENCE, USERS, StanceWeights()).tolist(), nan_ok=True
    )


def test_no_evidence_is_unknown_and_not_neutral() -> None:
    nothing = stance_evidence(posts([]), comments(), marks(), marks(), NumberScorer())
    assert user_stance(nothing, USERS, StanceWeights()).isna().all()


kinds = st.sampled_from(["post", "quote", "comment", "repost", "like", "dislike", "seed"])
rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), kinds, st.floats(-1, 1)), max_size=25)


@settings(deadline=None, max_examples=40)
@given(rows, st.floats(0.1, 10))
def test_stance_stays_in_range_and_ignores_order_copies_and_the_unit_of_weights(
    evidence: list[tuple[int, int, str, float]], factor: float
) -> None:
    frame = pd.DataFrame(evidence, columns=["user_id", "step", "kind", "stance"])
    stance = user_stance(frame, USERS, StanceWeights(dislike=0.2))
    assert stance.dropna().between(-1, 1).all()
    scaled = StanceWeights(factor, factor, factor, 0.5 * factor, 0.5 * factor, 0.2 * factor, 0.0)
    moved = user_stance(pd.concat([frame[::-1], frame]), USERS, scaled)
    assert moved.tolist() == pytest.approx(stance.tolist(), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(MetricInputError, match="stance weight like"):
        StanceWeights(like=weight)


def test_a_stranger_is_refused() -> None:
    with pytest.raises(MetricInputError, match="user_id: 2 is not among the users"):
        user_stance(EVIDENCE, pd.RangeIndex(2), StanceWeights())
