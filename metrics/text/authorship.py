"""Author identification: does a text reveal who wrote it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.individuality import Estimate
from metrics.intervals import RESAMPLES, bootstrap_interval
from metrics.text.ngrams import NgramVectors, fit_ngrams

TOP = 5
CREDITS = {"top1_post": 1, "top5_post": TOP, "top1_tail": 1, "top5_tail": TOP}
"""Columns of `user_credits`, with how many authors count as the first."""

_PENALTY = 0.3  # sklearn's C; 0.1 to 1 differ by a point on held-out posts of 64 people
_TOLERANCE = 1e-2


@dataclass(frozen=True)
class AuthorClassifier:
    """Scores texts by author (`fit_author_classifier`).

    Args:
        authors: the candidates, sorted.
        ngrams: the features.
        weights: [terms, authors].
    """

    authors: tuple[str, ...]
    ngrams: NgramVectors
    weights: NDArray[np.float32]

    def scores(self, texts: Sequence[str]) -> pd.DataFrame:
        """[texts, authors]: signed distances from each author's border, larger is likelier.

        All zero for a text without any known term: nobody is likelier.
        """
        return pd.DataFrame(self.ngrams.vectors(texts) @ self.weights, columns=list(self.authors))


def fit_author_classifier(
    texts: Sequence[str], authors: Sequence[str], *, rng: np.random.Generator
) -> AuthorClassifier:
    """Learn each author's style from labelled texts.

    Linear support vectors, one author against the rest, on TF-IDF over 2–4 characters, words and word pairs,
    links and handles masked; no intercept and balanced classes, so how much somebody wrote tells nothing.
    Time grows with the square of the number of authors: 1 s for 64 with 80 posts each, half a minute for 256.

    Args:
        texts: [posts].
        authors: [posts]; who wrote it.
        rng: orders the solver's passes.

    Returns:
        The classifier. With a single author all scores are 0.

    Raises:
        MetricInputError: for lengths that differ or no text.

    Source: char n-grams with linear classifiers are the standard of authorship attribution (Stamatatos 2009;
        Koppel, Schler & Argamon 2011); these settings are ours.
    """
    if len(texts) != len(authors):
        raise MetricInputError(f"{len(texts)} texts, {len(authors)} authors; expected one author a text")
    names, codes = np.unique(np.asarray(authors, dtype=object).astype(str), return_inverse=True)
    ngrams = fit_ngrams(texts)
    vectors = ngrams.vectors(texts)
    if len(names) == 1:
        return AuthorClassifier(tuple(names), ngrams, np.zeros((vectors.shape[1], 1), dtype=np.float32))
    from sklearn.svm import LinearSVC

    machine = LinearSVC(
        C=_PENALTY,
        tol=_TOLERANCE,
        fit_intercept=False,
        class_weight="balanced",
        random_state=int(rng.integers(2**31)),
    )
    coefficients: NDArray[Any] = machine.fit(vectors, codes).coef_
    if len(names) == 2:  # one border for both
        coefficients = np.vstack([-coefficients, coefficients])
    return AuthorClassifier(tuple(map(str, names)), ngrams, coefficients.T.astype(np.float32))


def user_credits(scores: pd.DataFrame, author: Sequence[str]) -> pd.DataFrame:
    """How often the right author is among the first, for every author who wrote anything.

    Every author weighs the same in a mean over rows, so that texts which tell nothing reach chance (`chance`)
    even when a few people write most.

    Args:
        scores: [texts, authors], larger is likelier.
        author: [texts], each a column of `scores`; the author whom the text should reveal.

    Returns:
        Index: authors with texts, in column order. Columns: `top1_post`, `top5_post` (share of the author's
        texts that have the author first, or among the first five), `top1_tail`, `top5_tail` (the same for
        the mean score of all the author's texts: 0 or 1), `texts` (how many). Authors that tie share the
        credit. NaN shares when there is one candidate only: nobody to be told from.

    Raises:
        MetricInputError: for lengths that differ or an unknown author.

    Source: ours; ranks as in author identification (top-k accuracy).
    """
    place = scores.columns.get_indexer(pd.Index(author))
    if len(place) != len(scores) or (place < 0).any():
        raise MetricInputError(
            f"author: got {len(place)} for {len(scores)} texts; expected one for each, all of them columns of scores"
        )
    values = scores.to_numpy(dtype=np.float64)
    writers, codes = np.unique(place, return_inverse=True)
    count = np.bincount(codes)
    tails = np.zeros((len(writers), values.shape[1]))
    np.add.at(tails, codes, values)
    tails /= np.maximum(count, 1)[:, None]
    frame = pd.DataFrame(index=scores.columns[writers])
    for k in (1, TOP):
        frame[f"top{k}_post"] = np.bincount(codes, weights=_credit(values, place, k)) / count
    for k in (1, TOP):
        frame[f"top{k}_tail"] = _credit(tails, writers, k)
    frame = frame[list(CREDITS)] if values.shape[1] > 1 else frame[list(CREDITS)] * np.nan
    return frame.assign(texts=count)


def chance(n_candidates: int, k: int) -> float:
    """What guessing reaches: k of `n_candidates`, at most 1."""
    return min(1.0, k / n_candidates)


def identified(
    credits_of: pd.Series[float],
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Mean of a column of `user_credits` with a bootstrap interval over users.

    Returns:
        NaN for nobody; no interval for fewer than two users.
    """
    known = credits_of.dropna().to_numpy(dtype=np.float64)
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"))
    interval = bootstrap_interval(known, rng=rng, confidence=confidence, resamples=resamples)
    return Estimate(float(known.mean()), *interval)


def _credit(scores: NDArray[np.float64], truth: NDArray[np.intp], k: int) -> NDArray[np.float64]:
    """Per row: whether the true column is among the k greatest; a tie around place k shares what is left."""
    own = scores[np.arange(len(truth)), truth][:, None]
    tied = np.isclose(scores, own, rtol=1e-9, atol=1e-12)
    before = ((scores > own) & ~tied).sum(axis=1)
    return np.asarray(np.clip((k - before) / tied.sum(axis=1), 0.0, 1.0))
