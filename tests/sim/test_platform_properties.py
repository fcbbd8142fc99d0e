"""Whatever agents decide: the books balance, equal input gives equal bytes, resuming is exact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.decision import TARGETS_POST, WRITES_CONTENT, Action, Decision
from sim.feeds import FEEDS, FeedPolicy
from sim.outcome import Outcome
from sim.platform import Account, Platform

N_USERS = 4
_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@st.composite
def decisions(draw: st.DrawFn) -> tuple[int, Decision]:
    """Anybody doing anything to anything, existing or not."""
    action = draw(st.sampled_from(Action))
    return draw(st.integers(0, N_USERS - 1)), Decision(
        action,
        post_id=draw(st.integers(0, 12)) if action in TARGETS_POST else None,
        followee_id=draw(st.integers(-1, N_USERS)) if action is Action.FOLLOW else None,
        content=draw(_TEXT) if action in WRITES_CONTENT else None,
    )


steps = st.lists(st.lists(decisions(), max_size=8), min_size=1, max_size=5)
Steps = list[list[tuple[int, Decision]]]
quickly = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def seeded() -> Platform:
    platform = Platform.open(":memory:", [Account(f"user_{n}") for n in range(N_USERS)])
    platform.seed_posts([(n, f"post of {n}") for n in range(N_USERS)])
    platform.seed_follows([(0, 1), (2, 3)])
    return platform


def play(platform: Platform, script: Steps, first: int = 1) -> list[Outcome]:
    return [o for n, acts in enumerate(script, first) for o in platform.apply_all(n, acts)]


def dump(platform: Platform) -> str:
    return "\n".join(platform._db.iterdump())


@quickly
@given(steps)
def test_the_books_balance(script: Steps) -> None:
    """Counts equal rows, every row's references exist, and every done decision has its row."""
    with seeded() as platform:
        outcomes = play(platform, script)
        tables = platform.tables()
        trace = platform._db.execute("SELECT action FROM trace WHERE action != 'sign_up'").fetchall()
        counters = platform._db.execute("SELECT user_id, num_followings, num_followers FROM user").fetchall()
    posts = tables.posts.set_index("post_id")
    assert posts.num_likes.sum() == len(tables.likes)
    for counted, rows in (("num_likes", tables.likes), ("num_dislikes", tables.dislikes)):
        assert posts[counted][posts[counted] > 0].to_dict() == Counter(rows.post_id)
        assert not rows.duplicated(["user_id", "post_id"]).any()
    shares = tables.posts.original_post_id.dropna()
    assert posts.num_shares[posts.num_shares > 0].to_dict() == Counter(shares)
    originals = posts.loc[shares]
    assert not (originals.original_post_id.notna() & originals.quote_content.isna()).any()
    for rows in (tables.likes, tables.dislikes, tables.comments):
        assert rows.post_id.isin(posts.index).all()
        assert rows.user_id.isin(range(N_USERS)).all()
    follows = tables.follows
    assert not follows.duplicated(["follower_id", "followee_id"]).any()
    assert (follows.follower_id != follows.followee_id).all()
    assert {u: (a, b) for u, a, b in counters} == {
        u: ((follows.follower_id == u).sum(), (follows.followee_id == u).sum()) for u in range(N_USERS)
    }
    acts = [decision.action for step in script for _, decision in step]
    done = Counter(a for a, o in zip(acts, outcomes, strict=True) if o.ok)
    seeds = Counter({Action.CREATE_POST: N_USERS, Action.FOLLOW: 2})
    assert Counter(action for (action,) in trace) == done + seeds


@quickly
@given(steps)
def test_outcomes_stand_in_the_order_of_decisions_and_name_their_rows(script: Steps) -> None:
    with seeded() as platform:
        outcomes = play(platform, script)
        posts = platform.tables().posts.set_index("post_id")
    made = iter(outcomes)
    for number, step in enumerate(script, 1):
        for actor, decision in step:
            outcome = next(made)
            if outcome.ok and decision.action in (Action.CREATE_POST, Action.REPOST, Action.QUOTE_POST):
                row = posts.loc[outcome.row_id]
                assert (row.user_id, row.created_at) == (actor, number)
            assert (outcome.row_id is None) == (not outcome.ok or decision.action is Action.DO_NOTHING)


@quickly
@given(steps)
def test_refused_decisions_might_as_well_not_have_been_made(script: Steps) -> None:
    with seeded() as platform, seeded() as other:
        outcomes = iter(play(platform, script))
        play(other, [[act for act in step if next(outcomes).ok] for step in script])
        assert dump(platform) == dump(other)


@quickly
@given(steps)
def test_equal_decisions_give_equal_bytes_and_other_platforms_do_not_matter(script: Steps) -> None:
    with seeded() as alone:
        play(alone, script)
        expected = dump(alone)
    with seeded() as one, seeded() as two:
        for number, acts in enumerate(script, 1):
            one.apply_all(number, acts)
            two.apply_all(number, list(reversed(acts)))
        assert dump(one) == expected


@quickly
@given(steps, st.integers(0, 5))
def test_resuming_from_a_snapshot_equals_going_on(tmp_path: Path, script: Steps, cut: int) -> None:
    file = tmp_path / "platform.db"
    with seeded() as platform:
        play(platform, script[:cut])
        platform.snapshot(file)
        rest = play(platform, script[cut:], platform.step + 1)
        with Platform.restore(file) as resumed:
            assert resumed.step == len(script[:cut])
            assert play(resumed, script[cut:], resumed.step + 1) == rest
            assert dump(resumed) == dump(platform)


@pytest.mark.parametrize("kind", FEEDS)
def test_feeds_of_a_resumed_platform_are_those_of_the_running_one(kind: str, tmp_path: Path) -> None:
    policy = FeedPolicy(kind, size=3, window=2)
    with seeded() as platform:
        platform.apply(1, 0, Decision(Action.LIKE_POST, post_id=2))
        platform.snapshot(tmp_path / "platform.db")
        with Platform.restore(tmp_path / "platform.db") as resumed:
            expected = platform.feeds(policy, range(N_USERS), np.random.default_rng(5))
            assert resumed.feeds(policy, range(N_USERS), np.random.default_rng(5)) == expected


def test_a_snapshot_replaces_the_last_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "platform.db"
    with seeded() as platform:
        for step in (1, 2):
            platform.apply(step, 0, Decision(Action.CREATE_POST, content=f"step {step}"))
            platform.snapshot(file)
    with Platform.restore(file) as resumed:
        assert resumed.step == 2
    assert list(tmp_path.iterdir()) == [file]


def test_a_snapshot_that_fails_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "platform.db"
    with seeded() as platform:
        platform.snapshot(file)
        before = file.read_bytes()
        platform.apply(1, 0, Decision(Action.DO_NOTHING))

        def full(path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError("no space left on device")

        monkeypatch.setattr(platform, "_copy", full)
        with pytest.raises(OSError, match="no space left"):
            platform.snapshot(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
