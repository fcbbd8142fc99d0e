"""Texts as words: the one tokenisation that all lexical measures share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_EMOJI = "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff]"
_TOKEN = re.compile(
    r"(?P<link>(?:https?://|www\.)\S*\w/?)"
    r"|(?P<mention>@\w+)"
    r"|(?P<hashtag>#\d*[^\W\d]\w*)"
    rf"|(?P<emoji>(?:{_EMOJI}[\ufe0f\u200d]*)+)"
    # scripts without spaces between words: every character stands for itself
    r"|(?P<character>[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f])"
    r"|(?P<word>[^\W_]+(?:['’][^\W_]+)*)",
    re.IGNORECASE,
)


class Token(NamedTuple):
    """A part of a text; `kind` is `link`, `mention`, `hashtag`, `emoji`, `character` or `word`."""

    kind: str
    text: str


def tokens(text: str) -> Iterator[Token]:
    """The parts of a text in order, lower-cased; a run of emoji is one, punctuation is none."""
    for match in _TOKEN.finditer(text):
        yield Token(str(match.lastgroup), match.group().casefold())


def words(text: str) -> list[str]:
    """The tokens as plain strings."""
    return [token.text for token in tokens(text)]


def normalised(text: str) -> str:
    """The words joined by spaces, so that texts which differ in case, spacing or punctuation only are equal.

    A text without words is itself, stripped.
    """
    return " ".join(words(text)) or text.strip()
