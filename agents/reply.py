"""The reply format: compact JSON, action first. One writer, one grammar, one reader, kept in step by tests.

`{"action":"like_post","post":2}` · `{"action":"create_comment","post":1,"content":"…"}` ·
`{"action":"follow","user":"ana"}` · `{"action":"create_post","content":"…"}` · `{"action":"do_nothing"}`
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from agents.decision import (
    TARGETS_POST,
    WRITES_CONTENT,
    Action,
    Affordances,
    Decision,
    FeedEntry,
)
from agents.errors import DecisionError
from agents.text import clean_text, quote

# A character of a JSON string that `clean_text` keeps as it is: no control character, line separator, bidi
# override or exotic space. A reply begins with one, so that content can never come out empty.
_VISIBLE = r'[^"\\\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028-\u202f\u205f\u2066-\u2069\u3000]|\\["\\]'
_FIRST, _CHAR = f"(?:{_VISIBLE})", f"(?:{_VISIBLE}| )"


class ReplyParts(NamedTuple):
    """A reply cut where the agent's own words begin and end; `content` is empty for wordless actions.

    Token ids are made part by part, in training and in scoring, so that words have one tokenisation.
    """

    head: str
    content: str
    tail: str

    @property
    def text(self) -> str:
        """The whole reply."""
        return self.head + self.content + self.tail


def reply_parts(decision: Decision, feed: tuple[FeedEntry, ...]) -> ReplyParts:
    """Write `decision` as the reply of an agent that reads `feed`.

    Raises:
        ValueError: when the decision's target is not in the feed, or its content is empty once cleaned.
    """
    head = f'{{"action":"{decision.action}"'
    if decision.action in TARGETS_POST:
        numbers = [n for n, e in enumerate(feed, 1) if e.post_id == decision.post_id]
        if not numbers:
            raise ValueError(f"{decision.action}: post {decision.post_id} is not in the feed")
        head += f',"post":{numbers[0]}'
    if decision.action is Action.FOLLOW:
        handles = [e.handle for e in feed if e.author_id == decision.followee_id]
        if not handles:
            raise ValueError(f"follow: user {decision.followee_id} is not in the feed")
        head += f',"user":"{handles[0]}"'
    if decision.action in WRITES_CONTENT:
        words = quote(decision.content or "")[1:-1]
        if not words:
            raise ValueError(f"{decision.action}: the content {decision.content!r} has no visible text")
        return ReplyParts(f'{head},"content":"', words, '"}')
    return ReplyParts(head + "}", "", "")


def reply_grammar(open_to: Affordances, max_chars: int) -> str:
    r"""The regular expression of the replies that an agent may write; `parse_reply` takes every one of them.

    Only open actions and valid targets occur in it; `content` has 1 to `max_chars` characters. The
    notation is common to Python's `re` and Rust's `regex`.

    Raises:
        ValueError: when no action is open, or `max_chars` is below 1.
    """
    if not open_to.actions:
        raise ValueError("no action is open: a reply needs at least one")
    if max_chars < 1:
        raise ValueError(f"max_chars: got {max_chars}; expected at least 1")
    words = f'"{_FIRST}{_CHAR}{{0,{max_chars - 1}}}"'
    options = []
    for action in open_to.actions:
        option = f'"{action}"'
        if action in TARGETS_POST:
            option += ',"post":(?:' + "|".join(map(str, open_to.posts[action])) + ")"
        if action is Action.FOLLOW:
            option += ',"user":"(?:' + "|".join(map(re.escape, open_to.handles)) + ')"'
        if action in WRITES_CONTENT:
            option += f',"content":{words}'
        options.append(option)
    return r'\{"action":(?:' + "|".join(options) + r")\}"


def parse_reply(text: str, feed: tuple[FeedEntry, ...], open_to: Affordances) -> Decision:
    """Read a reply.

    Raises:
        DecisionError: kind `malformed` (no JSON object of the expected keys), `unknown_action`,
            `invalid_target` (a target that is not open), or `empty_content`.
    """
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError) as error:  # the latter from thousands of opening brackets
        raise DecisionError("malformed", f"the reply is no JSON: {error}") from error
    if not isinstance(reply, dict) or not isinstance(reply.get("action"), str):
        raise DecisionError("malformed", "the reply is no JSON object with an action")
    if reply["action"] not in open_to.actions:
        raise DecisionError(
            "unknown_action", f"{reply['action']!r} is not open; open are {', '.join(open_to.actions)}"
        )
    action = Action(reply["action"])
    expected = {"action"}
    expected |= {"post"} if action in TARGETS_POST else set()
    expected |= {"user"} if action is Action.FOLLOW else set()
    expected |= {"content"} if action in WRITES_CONTENT else set()
    if set(reply) != expected:
        raise DecisionError("malformed", f"{action} has keys {sorted(reply)}; expected {sorted(expected)}")
    return Decision(
        action,
        post_id=_post_id(reply["post"], action, feed, open_to) if "post" in expected else None,
        followee_id=_followee_id(reply["user"], feed, open_to) if "user" in expected else None,
        content=_content(reply["content"]) if "content" in expected else None,
    )


def _post_id(number: object, action: Action, feed: tuple[FeedEntry, ...], open_to: Affordances) -> int:
    if type(number) is not int or number not in open_to.posts[action]:
        raise DecisionError(
            "invalid_target", f"{action}: post {number!r} is not open; open are {open_to.posts[action]}"
        )
    return feed[number - 1].post_id


def _followee_id(handle: object, feed: tuple[FeedEntry, ...], open_to: Affordances) -> int:
    if not isinstance(handle, str) or handle not in open_to.handles:
        raise DecisionError(
            "invalid_target", f"follow: user {handle!r} is not open; open are {open_to.handles}"
        )
    return next(e.author_id for e in feed if e.handle == handle)


def _content(content: object) -> str:
    if not isinstance(content, str):
        raise DecisionError("malformed", "content is no text")
    cleaned = clean_text(content)
    if not cleaned:
        raise DecisionError("empty_content", "content is empty")
    return cleaned
