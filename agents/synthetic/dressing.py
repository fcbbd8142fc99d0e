"""Clauses to a post: opener, closer, spelling, case, marks, emoji and tags in one person's way."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agents.synthetic.habits import Habits, pick
from agents.synthetic.style_words import SPELLINGS


def dress(
    rng: np.random.Generator, clauses: Sequence[str], habits: Habits, *, question: bool, limit: int
) -> str:
    """Join clauses in the person's way: opener, closer, spelling, case, marks, emoji, tags.

    Args:
        rng: source of chance.
        clauses: lower-case clauses without final punctuation, at least one.
        habits: the writer's.
        question: whether the last clause asks.
        limit: most characters; ornaments, then later clauses, are dropped to keep it.
    """
    parts = list(clauses)
    opener = pick(rng, habits.openers) if rng.random() < habits.opener_share else ""
    closer = pick(rng, habits.closers) if rng.random() < habits.closer_share else ""
    tag = pick(rng, habits.tags) if rng.random() < habits.tag_share else ""
    mark = pick(rng, habits.emoji) * habits.emoji_repeat if rng.random() < habits.emoji_share else ""
    stretch, shout = rng.random() < habits.stretch_share, rng.random() < habits.shout_share
    while True:
        text = _assemble(parts, opener, closer, habits, question=question)
        text = _stretched(text, habits) if stretch else text
        text = text.upper() if shout and habits.casing != "lower" else text
        text = f"{text} {mark}" if mark else text
        text = f"{text} {_hashtag(tag, habits)}" if tag else text
        if len(text) <= limit:
            return text
        if tag:
            tag = ""
        elif closer:
            closer = ""
        elif len(parts) > 1:
            parts.pop()
            question = False
        elif opener:
            opener = ""
        elif mark:
            mark = ""
        else:
            return text[:limit].rsplit(" ", 1)[0]


def _assemble(parts: Sequence[str], opener: str, closer: str, habits: Habits, *, question: bool) -> str:
    body = habits.join.join(
        _cased(_spelled(p, habits), habits, first=_starts_sentence(habits) or (not n and not opener))
        for n, p in enumerate(parts)
    )
    end = "?" if question else habits.end_mark
    if opener:
        body = f"{_cased(_spelled(opener, habits), habits, first=True)}, {body}"
    if not closer:
        return body + end
    farewell = _cased(_spelled(closer, habits), habits, first=end not in ("", "~"))
    return f"{body}{end} {farewell}{habits.end_mark if end else ''}"


def _starts_sentence(habits: Habits) -> bool:
    return habits.join in (". ", "! ")


def _cased(text: str, habits: Habits, *, first: bool) -> str:
    match habits.casing:
        case "lower":
            return text.lower()
        case "loud":
            return text.upper()
        case "title":
            return " ".join(w[:1].upper() + w[1:] for w in text.split(" "))
        case "sentence":
            return text[:1].upper() + text[1:] if first else text


def _spelled(text: str, habits: Habits) -> str:
    for name in habits.spellings:
        for plain, own in SPELLINGS[name].items():
            text = re.sub(rf"\b{plain}\b", own, text)
    return text


def _stretched(text: str, habits: Habits) -> str:
    """The first favourite word in `text` gets its last vowel drawn out: `lovely` → `looovely`."""
    for word in (*habits.intensifiers, *habits.good, *habits.bad):
        at = text.lower().find(word)
        if at >= 0:
            vowel = next((n for n in range(at, at + len(word)) if text[n].lower() in "aeiou"), None)
            if vowel is not None:
                return text[:vowel] + text[vowel] * 3 + text[vowel:]
    return text


def _hashtag(tag: str, habits: Habits) -> str:
    words = tag.split()
    return "#" + ("".join(w.capitalize() for w in words) if habits.tag_camel else "".join(words))
