"""Untrusted text made safe to quote: one line, no control characters, no way to leave its quotation marks."""

from __future__ import annotations

import json
import unicodedata

_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_DROPPED_CATEGORIES = frozenset({"Cc", "Cs"})


def clean_text(text: str) -> str:
    """Fold every kind of white space to single spaces, drop control characters and bidi overrides.

    Idempotent. Emoji joiners survive.
    """
    one_line = " ".join(text.split())
    if one_line.isprintable():  # holds no control or format character: nothing can be left to drop
        return one_line
    kept = (
        c for c in one_line if not (c in _BIDI_OVERRIDES or unicodedata.category(c) in _DROPPED_CATEGORIES)
    )
    return " ".join("".join(kept).split())


def quote(text: str) -> str:
    r"""`text` as a JSON string of one line: the only quotation mark left bare is the closing one."""
    return json.dumps(clean_text(text), ensure_ascii=False)
