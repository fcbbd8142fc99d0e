"""Copied and nearly copied texts, found by the resemblance of their word pairs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from agents.text import clean_text

RESEMBLANCE = 0.5
"""From here on a text counts as a copy. Of ten words, one changed gives 7/11, two apart give 5/13."""

_IGNORED = re.compile(r"https?://\S+|@\w+")
# Scripts without spaces between words: every character stands for itself.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]|[^\W_]+")


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Pairs of neighbouring words, lower-cased, without links and mentions; never empty.

    A text of one word is that word; a text without words is itself.
    """
    words = _WORD.findall(_IGNORED.sub(" ", text.casefold()))
    if not words:
        return frozenset({(clean_text(text),)})
    return frozenset(pairwise(words)) or frozenset({(words[0],)})


def copies(texts: Sequence[str], originals: Iterable[str]) -> list[bool]:
    """Which of `texts` resemble one of `originals`.

    Resemblance is the Jaccard coefficient |A ∩ B| / |A ∪ B| of the shingle sets (1 for texts that differ
    in punctuation, case, links or mentions only, 0 without a common word pair).

    Source: Broder 1997, On the resemblance and containment of documents; the threshold is ours.
    """
    sizes: list[int] = []
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, original in enumerate(originals):
        parts = shingles(original)
        sizes.append(len(parts))
        for part in parts:
            holders[part].append(number)
    return [_resembles_any(shingles(text), sizes, holders) for text in texts]


def _resembles_any(
    parts: frozenset[tuple[str, ...]], sizes: Sequence[int], holders: dict[tuple[str, ...], list[int]]
) -> bool:
    common = Counter(number for part in parts for number in holders.get(part, ()))
    return any(
        shared >= RESEMBLANCE * (len(parts) + sizes[number] - shared) for number, shared in common.items()
    )
