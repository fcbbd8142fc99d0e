"""Lexical diversity of a set of texts: distinct n-grams, self-BLEU, compression.

All three depend on how much text there is: compare sets of equal size (`equal_amounts`).
"""

from __future__ import annotations

import gzip
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.text.words import words

_NAN = float("nan")
_SMOOTHING = 0.1  # method 1 of Chen & Cherry 2014 as nltk sets it


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Every run of `n` tokens, in order."""
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Share of n-grams that differ: distinct over all, within texts, counted over the whole set.

    Args:
        texts: any number.
        n: words in a row, at least 1.

    Returns:
        In (0, 1]: 1 no n-gram twice, near 0 the same words over and over. Falls as text grows. NaN when no
        text has `n` words.

    Source: Li et al. 2016, arXiv 1510.03055 §5 (distinct-1 and distinct-2).
    """
    if n < 1:
        raise MetricInputError(f"n: got {n}; expected at least 1")
    found = [gram for text in texts for gram in ngrams(words(text), n)]
    return len(set(found)) / len(found) if found else _NAN


def compression_ratio(texts: Sequence[str]) -> float:
    """Bytes of the texts, one a line, over their bytes after gzip.

    Returns:
        Above 0; larger means more repetition: English prose gives about 2–3, one sentence a thousand times
        over 100. Short sets compress badly (below 1 for a line or two). gzip looks back 32 KiB, so repeats
        further apart do not count. NaN for no text at all.

    Source: Shaib et al. 2024, arXiv 2403.00553 (compression ratio).
    """
    raw = "\n".join(texts).encode("utf-8", errors="surrogatepass")
    return len(raw) / len(gzip.compress(raw, compresslevel=9, mtime=0)) if raw else _NAN


def self_bleu(texts: Sequence[str], max_n: int = 4) -> float:
    """Mean BLEU of each text against all others as its references.

    Exact, in time linear in the number of words: a reference count is clipped at the greatest count in any
    other text, which is the greatest of all unless the text itself holds it, and then the second greatest.

    Args:
        texts: those without any word are left out.
        max_n: longest n-grams, equally weighted with the shorter ones.

    Returns:
        In [0, 1]: 0 no two texts share a word, 1 every text is made of others. Larger means less diverse. NaN
        for fewer than two texts with words.

    Source: Zhu et al. 2018, arXiv 1802.01886 §3.2; BLEU with smoothing method 1 (Chen & Cherry 2014), as in
        nltk, whose `sentence_bleu` the tests compare with.
    """
    split = [tokens for text in texts if (tokens := words(text))]
    if len(split) < 2:
        return _NAN
    logs = np.zeros(len(split))
    for n in range(1, max_n + 1):
        precision = _clipped_precision([Counter(ngrams(tokens, n)) for tokens in split])
        matched, total = precision[:, 0], np.maximum(precision[:, 1], 1)
        smoothed = np.where(matched > 0, matched, _SMOOTHING if n > 1 else 0.0)
        with np.errstate(divide="ignore"):  # a text that shares no word has BLEU exp(−∞) = 0
            logs += np.log(smoothed / total) / max_n
    return float((_brevity([len(tokens) for tokens in split]) * np.exp(logs)).mean())


def _clipped_precision(counts: Sequence[Mapping[tuple[str, ...], int]]) -> NDArray[np.int64]:
    """[texts, 2]: n-grams that another text holds as often, and all n-grams."""
    greatest: dict[tuple[str, ...], tuple[int, int, int]] = {}  # greatest count, its text, second greatest
    for text, grams in enumerate(counts):
        for gram, count in grams.items():
            most, holder, second = greatest.get(gram, (0, -1, 0))
            greatest[gram] = (count, text, most) if count > most else (most, holder, max(second, count))
    rows = []
    for text, grams in enumerate(counts):
        matched = 0
        for gram, count in grams.items():
            most, holder, second = greatest[gram]
            matched += min(count, second if holder == text else most)
        rows.append((matched, sum(grams.values())))
    return np.array(rows, dtype=np.int64)


def _brevity(lengths: Sequence[int]) -> NDArray[np.float64]:
    """BLEU's penalty for texts shorter than the nearest length among the others (the shorter of two)."""
    count = Counter(lengths)
    known = sorted(count)
    penalties = {}
    for length in known:
        nearest = length
        if count[length] == 1:
            place = bisect_left(known, length)
            around = known[max(0, place - 1) : place] + known[place + 1 : place + 2]
            nearest = min(around, key=lambda other: (abs(other - length), other))
        penalties[length] = min(1.0, math.exp(1 - nearest / length))
    return np.array([penalties[length] for length in lengths])


def equal_amounts(
    texts: Mapping[str, Sequence[str]],
    *,
    rng: np.random.Generator,
    least_words: int = 1,
    most_words: int | None = None,
) -> dict[str, list[str]]:
    """Draw from each set whole texts up to the number of words in the smallest.

    Args:
        texts: name → texts.
        rng: shuffles; the same draw serves all sets, so that equal sets stay equal.
        least_words: a set with fewer takes no part: it stays empty, and the others are not cut down to it.
        most_words: upper bound of the amount; None for none.

    Returns:
        Name → texts, in drawn order. The last text is left out where it would exceed the amount, so amounts
        agree to within one text.

    Source: ours; diversity falls with length (Shaib et al. 2024 §5), so unequal sets cannot be compared.
    """
    lengths = {name: [len(words(text)) for text in those] for name, those in texts.items()}
    totals = {name: sum(counts) for name, counts in lengths.items()}
    enough = [total for total in totals.values() if total >= least_words]
    amount = min([*enough, *([most_words] if most_words is not None else [])], default=0)
    draw = int(rng.integers(2**63))
    drawn: dict[str, list[str]] = {}
    for name, those in texts.items():
        order = np.random.default_rng(draw).permutation(len(those))
        within = np.cumsum(np.array(lengths[name], dtype=np.int64)[order]) <= amount
        drawn[name] = [those[i] for i in order[within]] if totals[name] >= least_words else []
    return drawn
