import pytest
from hypothesis import given

from agents.decision import (
    ALL_ACTIONS,
    TARGETS_POST,
    WRITES_CONTENT,
    Action,
    Decision,
    FeedEntry,
    affordances,
)
from tests.agents.strategies import allowed_actions, feeds


def test_a_decision_has_exactly_the_fields_of_its_action() -> None:
    full = {"post_id": 1, "followee_id": 2, "content": "x"}
    for action in ALL_ACTIONS:
        needed = {
            "post_id": action in TARGETS_POST,
            "followee_id": action is Action.FOLLOW,
            "content": action in WRITES_CONTENT,
        }
        right = {field: full[field] for field, on in needed.items() if on}
        Decision(action, **right)
        for field, on in needed.items():
            wrong = {k: v for k, v in right.items() if k != field} if on else {**right, field: full[field]}
            with pytest.raises(ValueError, match=field):
                Decision(action, **wrong)


@pytest.mark.parametrize("handle", ["", "a b", "a\n", "ana|bob", 'a"', "ä", "a-b"])
def test_a_handle_that_could_break_out_is_refused(handle: str) -> None:
    with pytest.raises(ValueError, match="handle"):
        FeedEntry(1, 1, handle, "text")


def test_what_was_done_is_no_longer_open() -> None:
    feed = (
        FeedEntry(10, 1, "ana", "x", liked=True, reposted=True, following=True),
        FeedEntry(11, 2, "bob", "y", disliked=True),
    )
    open_to = affordances(feed)
    assert open_to.posts[Action.LIKE_POST] == (2,)
    assert open_to.posts[Action.DISLIKE_POST] == (1,)
    assert open_to.posts[Action.REPOST] == (2,)
    assert open_to.posts[Action.CREATE_COMMENT] == open_to.posts[Action.QUOTE_POST] == (1, 2)
    assert open_to.handles == ("bob",)
    assert open_to.actions == ALL_ACTIONS


def test_an_empty_feed_leaves_what_needs_no_target() -> None:
    assert affordances(()).actions == (Action.CREATE_POST, Action.DO_NOTHING)


def test_where_nothing_is_open_doing_nothing_is() -> None:
    assert affordances((), (Action.LIKE_POST, Action.FOLLOW)).actions == (Action.DO_NOTHING,)


@given(feeds(), allowed_actions)
def test_open_actions_have_targets_and_keep_their_order(
    feed: tuple[FeedEntry, ...], allowed: tuple[Action, ...]
) -> None:
    open_to = affordances(feed, allowed)
    assert open_to.actions == tuple(a for a in allowed if a in open_to.actions) or open_to.actions == (
        Action.DO_NOTHING,
    )
    for action in open_to.actions:
        if action in TARGETS_POST:
            assert open_to.posts[action]
            assert all(1 <= n <= len(feed) for n in open_to.posts[action])
        if action is Action.FOLLOW:
            assert open_to.handles
