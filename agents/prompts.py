"""The decision prompt: one text for every condition, so that only weights differ between conditions.

Each feed entry is one line and its text one JSON string: a post can neither forge an entry nor end its own.
"""

from __future__ import annotations

from adapters.engines.protocol import Message
from agents.decision import Affordances, FeedEntry
from agents.text import clean_text, quote

INSTRUCTION = "Choose one action. Reply with one line of JSON, the action first."


def introduction(handle: str, persona: str) -> str:
    """`You are @ana. Baker on Mill Street.`: one line, with which every prompt of an agent begins."""
    return f"You are @{handle}. {clean_text(persona)}".rstrip()


def feed_lines(feed: tuple[FeedEntry, ...]) -> list[str]:
    """A heading, then one line for each entry."""
    return ["Feed:", *(feed_line(n, e) for n, e in enumerate(feed, 1))] if feed else ["Feed: empty"]


def feed_line(number: int, entry: FeedEntry) -> str:
    """`[2] @ana, 3 likes, you liked: "text"`: one numbered line."""
    marks = "".join(
        f", {mark}"
        for mark, on in (
            ("you follow", entry.following),
            ("you liked", entry.liked),
            ("you disliked", entry.disliked),
            ("you reposted", entry.reposted),
        )
        if on
    )
    return f"[{number}] @{entry.handle}, {entry.likes} likes{marks}: {quote(entry.text)}"


def decision_prompt(
    handle: str, persona: str, feed: tuple[FeedEntry, ...], open_to: Affordances
) -> tuple[Message, ...]:
    """The chat messages under which an agent decides.

    Args:
        handle: the agent's own name on the platform.
        persona: one line about the agent; white space is folded, and it may be empty.
        feed: what the agent sees, best first.
        open_to: what it can do.

    Returns:
        A system message (who the agent is, what to reply) and a user message (feed, open actions).
    """
    lines = [*feed_lines(feed), "Actions: " + ", ".join(open_to.actions)]
    who = introduction(handle, persona)
    return (Message("system", f"{who}\n{INSTRUCTION}"), Message("user", "\n".join(lines)))
