"""What an agent may do at one step, as closed data: actions, feed entries, affordances, decisions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """The eight actions, spelled as OASIS spells them (`comment` is its `create_comment`)."""

    CREATE_POST = "create_post"
    CREATE_COMMENT = "create_comment"
    LIKE_POST = "like_post"
    DISLIKE_POST = "dislike_post"
    REPOST = "repost"
    QUOTE_POST = "quote_post"
    FOLLOW = "follow"
    DO_NOTHING = "do_nothing"


ALL_ACTIONS: tuple[Action, ...] = tuple(Action)
WRITES_CONTENT = frozenset({Action.CREATE_POST, Action.CREATE_COMMENT, Action.QUOTE_POST})
TARGETS_POST = frozenset(
    {Action.CREATE_COMMENT, Action.LIKE_POST, Action.DISLIKE_POST, Action.REPOST, Action.QUOTE_POST}
)


_HANDLE = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One post as its reader meets it. `handle` consists of letters, digits and underscores.

    The four flags say what the reader has done before; the matching action is then no longer open.

    Raises:
        ValueError: for a handle that could break the prompt's lines or the reply's grammar.
    """

    post_id: int
    author_id: int
    handle: str
    text: str
    likes: int = 0
    liked: bool = False
    disliked: bool = False
    reposted: bool = False
    following: bool = False

    def __post_init__(self) -> None:
        if not _HANDLE.fullmatch(self.handle):
            raise ValueError(f"handle: got {self.handle!r}; expected letters a-z, digits and underscores")


@dataclass(frozen=True, slots=True)
class Decision:
    """One finished choice. Ids are the platform's, never positions in the feed.

    Raises:
        ValueError: when a field is missing or superfluous for the action.
    """

    action: Action
    post_id: int | None = None
    followee_id: int | None = None
    content: str | None = None

    def __post_init__(self) -> None:
        expected = {
            "post_id": self.action in TARGETS_POST,
            "followee_id": self.action is Action.FOLLOW,
            "content": self.action in WRITES_CONTENT,
        }
        for field, needed in expected.items():
            if (getattr(self, field) is not None) != needed:
                wanted = "needed" if needed else "not allowed"
                raise ValueError(f"{self.action}: {field} is {wanted}; got {getattr(self, field)!r}")


@dataclass(frozen=True, slots=True)
class Affordances:
    """What one agent can do right now: which action on which feed positions (1-based) or handles."""

    posts: dict[Action, tuple[int, ...]]
    handles: tuple[str, ...]
    actions: tuple[Action, ...]


_SPENT_BY = {Action.LIKE_POST: "liked", Action.DISLIKE_POST: "disliked", Action.REPOST: "reposted"}


def affordances(feed: tuple[FeedEntry, ...], allowed: tuple[Action, ...] = ALL_ACTIONS) -> Affordances:
    """The actions open to the reader of `feed`, in the order of `allowed`.

    An action that needs a target and has none left (an empty feed, everything liked already) is not open.
    Liking a disliked post, or the reverse, stays open: the platform keeps both marks apart. Where nothing
    at all is open, doing nothing is, since every agent must be able to answer.
    """
    posts: dict[Action, tuple[int, ...]] = {}
    for action in allowed:
        if action in TARGETS_POST:
            flag = _SPENT_BY.get(action)
            posts[action] = tuple(n for n, e in enumerate(feed, 1) if flag is None or not getattr(e, flag))
    handles = tuple(dict.fromkeys(e.handle for e in feed if not e.following))
    targets = {**posts, Action.FOLLOW: handles}
    open_actions = tuple(a for a in allowed if a not in targets or targets[a])
    return Affordances(
        posts={a: p for a, p in posts.items() if p},
        handles=handles,
        actions=open_actions or (Action.DO_NOTHING,),
    )
