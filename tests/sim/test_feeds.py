"""Feed policies: the documented order, nobody's own posts, the same numbers for the same generator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from agents.decision import Action, Decision
from sim.errors import FeedError
from sim.feed_state import FeedState
from sim.feeds import FEEDS, STEP_SECONDS, FeedPolicy, hot_score, interest
from sim.oasis_import import load_oasis
from sim.platform import Account, Platform

REDDIT_EPOCH = datetime.fromtimestamp(1_134_028_003, UTC).replace(tzinfo=None)
counts = st.integers(0, 2_000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def played(n_users: int, posts: list[int], *steps: list[tuple[int, Decision]]) -> Platform:
    """A platform on which `posts` (authors) were seeded and the steps applied; every decision works out."""
    platform = Platform.open(":memory:", [Account(f"user_{n}") for n in range(n_users)])
    platform.seed_posts([(author, f"post of {author}") for author in posts])
    for number, decisions in enumerate(steps, 1):
        assert all(o.ok for o in platform.apply_all(number, decisions))
    return platform


def like(post_id: int) -> Decision:
    return Decision(Action.LIKE_POST, post_id=post_id)


def ranked(platform: Platform, kind: str, reader: int, *, size: int = 9, window: int = 9) -> tuple[int, ...]:
    policy = FeedPolicy(kind, size, window)
    return policy.rank(platform.feed_state(window), [reader], rng())[0]


@given(counts, counts, st.integers(0, 1_000))
def test_hot_is_the_score_of_oasis(likes: int, dislikes: int, step: int) -> None:
    """With a step as an hour and step 0 at Reddit's epoch; equal but for the seventh digit's rounding."""
    oasis_score = load_oasis().social_platform.recsys.calculate_hot_score
    expected = oasis_score(likes, dislikes, REDDIT_EPOCH + step * timedelta(seconds=STEP_SECONDS))
    ours = hot_score(np.array([likes]), np.array([dislikes]), np.array([step]))
    assert ours[0] == pytest.approx(expected, abs=1.5e-7)


def test_hot_weighs_votes_against_age() -> None:
    """Ten net likes are worth log10(10) = 1, as much as 45,000 s = 12.5 steps of an hour."""
    scores = hot_score(np.array([10, 0, 0]), np.array([0, 0, 10]), np.array([0, 12, 13]))
    # 1 + 0 = 1;  0 + 12·3600/45000 = 0.96;  −1 + 13·3600/45000 = 0.04
    assert scores.tolist() == [1.0, 0.96, 0.04]


def test_a_hot_feed_is_one_order_for_all() -> None:
    likes = [(4, like(3)), (5, like(3)), (6, like(3)), (5, like(2)), (6, like(2))]
    with played(8, [0, 1, 2, 3], likes) as platform:
        feeds = FeedPolicy("hot", 4, 5).rank(platform.feed_state(5), range(8), rng())
    assert [f[:2] for f in feeds[4:]] == [(3, 2)] * 4
    assert len(set(feeds[4:])) == 1
    assert feeds[0] == tuple(p for p in feeds[4] if p != 1)


def test_followed_authors_and_their_reposts_come_first() -> None:
    repost = Decision(Action.REPOST, post_id=2)
    with played(6, [0, 1, 2, 3], [(4, like(4)), (5, like(4))], [(0, repost)]) as platform:
        # Reader 4's interest in user 3's post 4 is the greatest there is (user 5 shares the taste), but 4 follows
        # user 0, who wrote post 1 and reposted post 2.
        assert interest(platform.feed_state(9), np.array([4]))[0].tolist() == [0, 0, 0, 1]
        platform.apply(2, 4, Decision(Action.FOLLOW, followee_id=0))
        assert ranked(platform, "following+interest", 4) == (2, 1, 4, 3)


def test_interest_comes_before_recency_and_recency_before_chance() -> None:
    posts = [(author, Decision(Action.CREATE_POST, content=f"post {author}")) for author in (1, 2, 3)]
    # Reader 0 liked user 1's seed post (1); posts 2, 3 and 4 are of steps 1, 2 and 3, by users 1, 2 and 3.
    with played(4, [1], [(0, like(1)), posts[0]], [posts[1]], [posts[2]]) as platform:
        assert ranked(platform, "following+interest", 0) == (2, 1, 4, 3)


def test_interest_by_hand() -> None:
    """Users 0 to 2 are readers; post 1 is by user 3, posts 2 and 3 by user 4.

    Likes: 0 → 1 and 2; 1 → 1 and 3; 2 → nothing. Engagement with authors (3, 4), at length 1:
    e_0 = e_1 = (1, 1)/√2, e_2 = 0.
    Reader 0, post 1: affinity 1/√2; the other in its audience is 1, kinship e_0·e_1 = 1 → (1/√2 + 1)/2.
    Reader 0, post 2: affinity 1/√2; no other in its audience → 1/(2√2).
    Reader 0, post 3: affinity 1/√2; kinship 1 → as post 1. Reader 2 has none of either.
    """
    acts = [(0, like(1)), (0, like(2)), (1, like(1)), (1, like(3))]
    with played(5, [3, 4, 4], acts) as platform:
        found = interest(platform.feed_state(9), np.array([0, 2]))
    both = (np.sqrt(0.5) + 1) / 2
    np.testing.assert_allclose(found, [[both, np.sqrt(0.5) / 2, both], [0, 0, 0]], atol=1e-12)


@pytest.mark.parametrize(
    "act",
    [
        Decision(Action.CREATE_COMMENT, post_id=1, content="yes"),
        Decision(Action.REPOST, post_id=1),
        Decision(Action.QUOTE_POST, post_id=1, content="yes"),
        like(1),
    ],
    ids=lambda act: str(act.action),
)
def test_comments_and_shares_are_engagement_like_likes(act: Decision) -> None:
    with played(3, [1, 2], [(0, act)]) as platform:
        state = platform.feed_state(9)
        assert state.engagement.toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
        assert state.audience.toarray()[0].tolist() == [1, 0, 0]
        assert interest(state, np.array([0]))[0, :2].tolist() == [0.5, 0]


def test_dislikes_are_no_engagement() -> None:
    with played(3, [1, 2], [(0, Decision(Action.DISLIKE_POST, post_id=1))]) as platform:
        assert not platform.feed_state(9).engagement.toarray().any()


def test_the_window_counts_steps_and_a_repost_brings_a_post_back() -> None:
    new, again = Decision(Action.CREATE_POST, content="new"), Decision(Action.REPOST, post_id=1)
    with played(3, [0, 1], [(0, new)], [(1, new)], [(2, again)]) as platform:
        # Posts 1 and 2 are of step 0, post 3 of step 1, post 4 of step 2; post 1 was reposted at step 3.
        windows = {w: platform.feed_state(w).post_ids.tolist() for w in (1, 2, 3, 4)}
    assert windows == {1: [1], 2: [1, 4], 3: [1, 3, 4], 4: [1, 2, 3, 4]}


def test_a_random_feed_shows_every_post_equally_often() -> None:
    """300 readers, 3 of 6 posts: each post in 150 ± 4·√(300/4) ≈ 35 feeds."""
    with played(301, [300] * 6) as platform:
        feeds = FeedPolicy("random", 3, 5).rank(platform.feed_state(5), range(300), rng(1))
    shown = np.bincount([p for f in feeds for p in f], minlength=7)[1:]
    assert np.abs(shown - 150).max() < 35


@pytest.mark.parametrize("kind", FEEDS)
def test_equal_posts_are_not_ranked_by_id(kind: str) -> None:
    with played(2, [1] * 8) as platform:
        state = platform.feed_state(5)
        heads = {FeedPolicy(kind, 1, 5).rank(state, [0], rng(seed))[0] for seed in range(40)}
    assert len(heads) >= 6


@pytest.mark.parametrize("kind", FEEDS)
def test_feeds_may_be_empty_or_short(kind: str) -> None:
    with played(3, []) as platform:
        assert FeedPolicy(kind, 5, 5).rank(platform.feed_state(5), range(3), rng()) == [(), (), ()]
    with played(3, [0, 1]) as platform:
        state = platform.feed_state(5)
        assert FeedPolicy(kind, 5, 5).rank(state, [], rng()) == []
        assert FeedPolicy(kind, 0, 5).rank(state, [0, 1], rng()) == [(), ()]
        assert FeedPolicy(kind, 5, 5).rank(state, [1, 0], rng()) == [(1,), (2,)]


@st.composite
def states(draw: st.DrawFn) -> FeedState:
    """Any state of up to 6 users and 12 posts."""
    n, p = draw(st.integers(1, 6)), draw(st.integers(0, 12))
    source = rng(draw(st.integers(0, 2**32)))
    density = draw(st.sampled_from([0.0, 0.3, 1.0]))
    authors = source.integers(0, n, p)

    def matrix(rows: int, columns: int, top: int = 1) -> csr_array:
        return csr_array(
            source.integers(1, top + 1, (rows, columns)) * (source.random((rows, columns)) < density) * 1.0
        )

    return FeedState(
        n_users=n,
        post_ids=np.cumsum(source.integers(1, 4, p)),
        authors=authors,
        created_at=source.integers(0, 5, p),
        seen_at=source.integers(5, 9, p),
        likes=source.integers(0, 30, p),
        dislikes=source.integers(0, 30, p),
        follows=matrix(n, n),
        voices=matrix(n, p),
        engagement=matrix(n, n, 5),
        audience=matrix(p, n),
    )


@settings(deadline=None)
@given(states(), st.sampled_from(sorted(FEEDS)), st.integers(0, 14), st.integers(0, 99))
def test_feeds_hold_distinct_posts_of_others_as_many_as_there_are(
    state: FeedState, kind: str, size: int, seed: int
) -> None:
    policy, readers = FeedPolicy(kind, size, 1), range(state.n_users)
    feeds = policy.rank(state, readers, rng(seed))
    for reader, feed in zip(readers, feeds, strict=True):
        others = state.post_ids[state.authors != reader].tolist()
        assert len(feed) == min(size, len(others))
        assert len(set(feed)) == len(feed)
        assert set(feed) <= set(others)
        assert all(type(p) is int for p in feed)
    assert policy.rank(state, readers, rng(seed)) == feeds


@settings(deadline=None)
@given(states())
def test_interest_lies_between_nothing_and_one(state: FeedState) -> None:
    found = interest(state, np.arange(state.n_users))
    assert found.shape == (state.n_users, len(state.post_ids))
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("newest", 5, 5), "got 'newest'; expected one of random, hot, following.interest"),
        (("hot", -1, 5), "feed hot: size: got -1; expected at least 0"),
        (("hot", 5, 0), "feed hot: window: got 0; expected at least 1"),
    ],
)
def test_policies_that_cannot_be_say_why(arguments: tuple[str, int, int], complaint: str) -> None:
    with pytest.raises(FeedError, match=complaint):
        FeedPolicy(*arguments)
