"""Copying: whether texts repeat given originals, whole or in part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from metrics.errors import MetricInputError
from metrics.text.words import normalised, tokens, words

_LOOSE = ("link", "mention", "emoji")  # hung on to copies and taken off again
RESEMBLANCE = 0.5
"""From this Jaccard coefficient of word pairs on, a text is a near copy."""


class Copied(NamedTuple):
    """How much of a text stands in the originals.

    Args:
        exact: an original has the same words in the same order.
        near: an original resembles it by at least `RESEMBLANCE`, whatever links, mentions and emoji either has;
            every exact copy does.
        run: words of the longest run that an original holds verbatim, over the words of the text; 1 for a text
            that stands in an original, 0 without a common word, NaN for a text without words.
    """

    exact: bool
    near: bool
    run: float


class Originals:
    """Texts that may have been copied, indexed once.

    Args:
        texts: the originals. Case, spacing and punctuation do not count.

    Source: resemblance is Broder 1997; the longest common run is found with a suffix automaton (Blumer et al.
        1985) in time linear in the text; thresholds ours.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = {normalised(text) for text in texts}
        self._sizes: list[int] = []
        self._holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._runs = _SuffixAutomaton()
        for number, text in enumerate(sorted(self._texts)):
            pairs = _pairs(text)
            self._sizes.append(len(pairs))
            for pair in pairs:
                self._holders[pair].append(number)
            self._runs.extend(words(text))

    def compare(self, text: str) -> Copied:
        """What of `text` stands in the originals."""
        found = words(text)
        exact = normalised(text) in self._texts
        run = self._runs.longest_run(found) / len(found) if found else float("nan")
        return Copied(exact, exact or self._near(_pairs(text)), run)

    def _near(self, pairs: frozenset[tuple[str, ...]]) -> bool:
        common = Counter(number for pair in pairs for number in self._holders.get(pair, ()))
        return any(
            shared >= RESEMBLANCE * (len(pairs) + self._sizes[number] - shared)
            for number, shared in common.items()
        )


def copied(texts: Sequence[str], originals: Sequence[Originals]) -> pd.DataFrame:
    """Compare each text with its own originals.

    Args:
        texts: [n].
        originals: [n], such as the author's training posts, or the posts in view.

    Returns:
        A row a text: `exact`, `near`, `run`, as `Copied`.
    """
    if len(texts) != len(originals):
        raise MetricInputError(f"{len(texts)} texts, {len(originals)} originals; expected one each")
    rows = [those.compare(text) for text, those in zip(texts, originals, strict=True)]
    return pd.DataFrame(rows, columns=list(Copied._fields)).astype(
        {"exact": bool, "near": bool, "run": "float64"}
    )


def _pairs(text: str) -> frozenset[tuple[str, ...]]:
    """Neighbouring words without links, mentions and emoji; a text of one word is that word."""
    found = [token.text.lstrip("#") for token in tokens(text) if token.kind not in _LOOSE]
    return frozenset(pairwise(found)) or frozenset({tuple(found)} if found else ())


class _SuffixAutomaton:
    """Every run of words that occurs in any of the sequences, in linear space."""

    def __init__(self) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._link = [-1]
        self._length = [0]

    def extend(self, sequence: Sequence[str]) -> None:
        """Add one sequence."""
        last = 0
        for word in sequence:
            last = self._add(last, word)

    def longest_run(self, sequence: Sequence[str]) -> int:
        """Words of the longest run of `sequence` that occurs in one of the added sequences."""
        state = length = best = 0
        for word in sequence:
            while state and word not in self._next[state]:
                state = self._link[state]
                length = self._length[state]
            if word in self._next[state]:
                state = self._next[state][word]
                length += 1
            best = max(best, length)
        return best

    def _add(self, last: int, word: str) -> int:
        if word in self._next[last]:  # the run is known from an earlier sequence
            known = self._next[last][word]
            return known if self._length[known] == self._length[last] + 1 else self._split(last, word)
        new = self._state(self._length[last] + 1, {})
        place = last
        while place != -1 and word not in self._next[place]:
            self._next[place][word] = new
            place = self._link[place]
        if place == -1:
            self._link[new] = 0
        else:
            known = self._next[place][word]
            direct = self._length[known] == self._length[place] + 1
            self._link[new] = known if direct else self._split(place, word)
        return new

    def _split(self, place: int, word: str) -> int:
        """Give the run that ends in `place` and goes on with `word` a state of its own."""
        known = self._next[place][word]
        clone = self._state(self._length[place] + 1, dict(self._next[known]))
        self._link[clone] = self._link[known]
        self._link[known] = clone
        while place != -1 and self._next[place].get(word) == known:
            self._next[place][word] = clone
            place = self._link[place]
        return clone

    def _state(self, length: int, following: dict[str, int]) -> int:
        self._next.append(following)
        self._link.append(0)
        self._length.append(length)
        return len(self._length) - 1
