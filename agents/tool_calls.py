"""Decisions as tool calls: how they are written down, and how they are read. The tools are OASIS's own.

A reply stands in the ledger as `{"content":null,"tool_calls":[{"name":"like_post","arguments":"{\\"post_id\\": 7}"}]}`:
what the model said, and its calls with their arguments as the model wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.decision import TARGETS_POST, Action, Affordances, Decision, FeedEntry
from agents.errors import DecisionError
from agents.text import clean_text

ARGUMENTS: Mapping[Action, Mapping[str, type]] = {
    Action.CREATE_POST: {"content": str},
    Action.CREATE_COMMENT: {"post_id": int, "content": str},
    Action.LIKE_POST: {"post_id": int},
    Action.DISLIKE_POST: {"post_id": int},
    Action.REPOST: {"post_id": int},
    Action.QUOTE_POST: {"post_id": int, "quote_content": str},
    Action.FOLLOW: {"followee_id": int},
    Action.DO_NOTHING: {},
}
"""What each tool takes (camel-oasis 0.2.5)."""


class ToolCall(NamedTuple):
    """One call; `arguments` is JSON if the model can write it."""

    name: str
    arguments: str


class ToolReply(NamedTuple):
    """What came back: words, calls, either or neither."""

    content: str | None
    calls: tuple[ToolCall, ...]

    @property
    def text(self) -> str:
        """As it stands in the ledger."""
        fields = {"content": self.content, "tool_calls": [call._asdict() for call in self.calls]}
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace").decode(
            "utf-8"
        )  # half a surrogate pair as JSON writes it

    @classmethod
    def read(cls, text: str) -> ToolReply:
        """The inverse of `text`."""
        fields = json.loads(text)
        return cls(fields["content"], tuple(ToolCall(**call) for call in fields["tool_calls"]))


def parse_tool_reply(
    reply: ToolReply, feed: tuple[FeedEntry, ...], open_to: Affordances, max_chars: int
) -> Decision:
    """Read the one call of a reply.

    Args:
        reply: as the model gave it.
        feed: what the agent saw; its targets are these posts and their authors.
        open_to: what the agent could do.
        max_chars: longest text of a post, in characters.

    Raises:
        DecisionError: kind `no_tool_call`, `several_tool_calls`, `unknown_action`, `malformed` (arguments that are not
            those of the tool), `invalid_target`, `empty_content` or `too_long`.
    """
    if not reply.calls:
        raise DecisionError("no_tool_call", f"the reply calls no tool: {(reply.content or '')[:200]!r}")
    if len(reply.calls) > 1:
        names = ", ".join(call.name for call in reply.calls)
        raise DecisionError("several_tool_calls", f"the reply calls {len(reply.calls)} tools: {names}")
    (call,) = reply.calls
    if call.name not in open_to.actions:
        raise DecisionError(
            "unknown_action", f"{call.name!r} is not open; open are {', '.join(open_to.actions)}"
        )
    action = Action(call.name)
    given = _arguments(action, call.arguments)
    if action in TARGETS_POST:
        _check_post(action, given["post_id"], feed, open_to)
    if action is Action.FOLLOW:
        _check_user(given["followee_id"], feed, open_to)
    content = given.get("content", given.get("quote_content"))
    return Decision(
        action,
        post_id=given.get("post_id"),
        followee_id=given.get("followee_id"),
        content=None if content is None else _content(content, max_chars),
    )


def _arguments(action: Action, text: str) -> dict[str, Any]:
    wanted = ARGUMENTS[action]
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:  # the latter from thousands of opening brackets
        raise DecisionError("malformed", f"{action}: the arguments are no JSON: {error}") from error
    if not isinstance(given, dict) or given.keys() != wanted.keys():
        raise DecisionError(
            "malformed", f"{action}: got arguments {text[:200]}; expected {', '.join(wanted) or 'none'}"
        )
    for name, kind in wanted.items():
        if type(given[name]) is not kind:
            raise DecisionError(
                "malformed",
                f"{action}: {name}: got {given[name]!r}; expected {'text' if kind is str else 'a whole number'}",
            )
    return given


def _check_post(action: Action, post_id: int, feed: tuple[FeedEntry, ...], open_to: Affordances) -> None:
    targets = [feed[number - 1].post_id for number in open_to.posts[action]]
    if post_id not in targets:
        raise DecisionError("invalid_target", f"{action}: post {post_id} is not open; open are {targets}")


def _check_user(user_id: int, feed: tuple[FeedEntry, ...], open_to: Affordances) -> None:
    targets = sorted({entry.author_id for entry in feed if entry.handle in open_to.handles})
    if user_id not in targets:
        raise DecisionError("invalid_target", f"follow: user {user_id} is not open; open are {targets}")


def _content(content: str, max_chars: int) -> str:
    cleaned = clean_text(content)
    if not cleaned:
        raise DecisionError("empty_content", "content is empty")
    if len(cleaned) > max_chars:
        raise DecisionError(
            "too_long", f"content has {len(cleaned)} characters; at most {max_chars} are taken"
        )
    return cleaned
