"""What texts look like: length, marks, looping, words used again. No judgement of content."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from metrics.errors import MetricInputError
from metrics.text.words import normalised, tokens, words

SURFACE_COLUMNS = ["words", "hashtag", "mention", "link", "emoji", "looping"]
WINDOW = 50
LOOP_UNIT, LOOP_TIMES = 4, 3


def surface(texts: Sequence[str]) -> pd.DataFrame:
    """Each text's marks.

    Returns:
        A row a text: `words` (how many, marks included), `hashtag`, `mention`, `link`, `emoji` (whether there
        is one), `looping` (`is_looping`). Means over rows are the mean length and the shares.

    Source: ours.
    """
    rows = []
    for text in texts:
        found = list(tokens(text))
        kinds = {token.kind for token in found}
        marks = [mark in kinds for mark in SURFACE_COLUMNS[1:5]]
        rows.append((len(found), *marks, is_looping([token.text for token in found])))
    types = {name: "int64" if name == "words" else bool for name in SURFACE_COLUMNS}
    return pd.DataFrame(rows, columns=SURFACE_COLUMNS).astype(types)


def is_looping(tokens: Sequence[str]) -> bool:
    """Whether some unit of one to four words stands three times in a row: what a stuck model writes.

    Source: ours, after the repetition loops of Holtzman et al. 2020, arXiv 1904.09751 §3.
    """
    for unit in range(1, LOOP_UNIT + 1):
        same = 0  # words in a row that equal the word one unit before
        for before, after in zip(tokens, tokens[unit:], strict=False):
            same = same + 1 if before == after else 0
            if same == unit * (LOOP_TIMES - 1):
                return True
    return False


def type_token_ratio(texts: Sequence[str], window: int = WINDOW) -> float:
    """Distinct words over words, averaged over every window of so many words in a row.

    Args:
        texts: of one author, in order; read on end to end.
        window: words, at least 1.

    Returns:
        In (0, 1]: 1 no word twice within a window. Does not fall with the amount of text, as the plain ratio
        does. NaN for fewer words than a window.

    Source: Covington & McFall 2010 (moving-average type–token ratio).
    """
    if window < 1:
        raise MetricInputError(f"window: got {window}; expected at least 1")
    found = [word for text in texts for word in words(text)]
    if len(found) < window:
        return float("nan")
    last: dict[str, int] = {}
    distinct = np.zeros(len(found) + 1)
    for place, word in enumerate(found):
        # A word is new in the windows that end here and later, until `window` on.
        start = max(place, last.get(word, -window) + window)
        last[word] = place
        distinct[min(start, len(found))] += 1
        distinct[min(place + window, len(found))] -= 1
    counts = np.cumsum(distinct[:-1])[window - 1 :]
    return float(counts.mean() / window)


def repeats(texts: Sequence[str], author: Sequence[Hashable]) -> pd.DataFrame:
    """Which texts were said before, word for word.

    Args:
        texts: in order of time; case, spacing and punctuation do not count.
        author: one a text.

    Returns:
        A row a text: `self` (an earlier text of the same author has the same words), `others` (one of somebody
        else).

    Source: ours.
    """
    if len(texts) != len(author):
        raise MetricInputError(f"{len(texts)} texts, {len(author)} authors; expected one author a text")
    said_by: dict[str, set[Hashable]] = {}
    rows = []
    for text, who in zip(map(normalised, texts), author, strict=True):
        before = said_by.setdefault(text, set())
        rows.append((who in before, bool(before - {who})))
        before.add(who)
    return pd.DataFrame(rows, columns=["self", "others"]).astype(bool)
