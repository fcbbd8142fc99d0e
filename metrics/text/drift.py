"""Persona drift: do people move away from how they used to write, step by step?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metrics.errors import MetricInputError
from metrics.individuality import Estimate
from metrics.intervals import NO_INTERVAL, RESAMPLES

Vectors = Any
"""[n, d], rows of length 1: an ndarray or a scipy csr_matrix, which share `@` and the choice of rows."""

FIRST = 2
_NAN = float("nan")


class Distances(NamedTuple):
    """Cosine distances of each text, in [0, 2].

    Args:
        own: to the mean direction of the author's own reference texts.
        others: to those of all other authors, on average; NaN with a single author.
    """

    own: NDArray[np.float64]
    others: NDArray[np.float64]


def reference_distances(
    vectors: Vectors, author: ArrayLike, reference: Vectors, reference_author: ArrayLike
) -> Distances:
    """How far each text is from its author's reference texts (such as real posts), and from everybody else's.

    `own` alone may grow because the talk turns to something new; `own − others` growing towards 0 means that
    the author can no longer be told from the rest.

    Args:
        vectors: [n, d], rows of length 1, dense or sparse.
        author: [n], each with reference texts.
        reference: [m, d], likewise.
        reference_author: [m].

    Raises:
        MetricInputError: for lengths that differ, or an author without reference texts.

    Source: ours (centroid distance).
    """
    names, codes = _codes(reference, reference_author, "reference_author")
    who = np.asarray(author)
    _check(vectors, who, "author")
    place = pd.Index(names).get_indexer(pd.Index(who))
    if (place < 0).any():
        raise MetricInputError(f"author: {str(who[place < 0][0])!r} has no reference texts")
    if not len(who):
        return Distances(np.zeros(0), np.zeros(0))
    distance = 1.0 - np.asarray(vectors @ _directions(reference, codes, len(names)).T, dtype=np.float64)
    own = distance[np.arange(len(who)), place]
    n = len(names)
    others = (distance.sum(axis=1) - own) / (n - 1) if n > 1 else np.full(len(who), _NAN)
    return Distances(own, others)


def first_distances(
    vectors: Vectors, author: ArrayLike, step: ArrayLike, first: int = FIRST
) -> NDArray[np.float64]:
    """How far each text is from its author's first few.

    Args:
        vectors: [n, d], rows of length 1, dense or sparse.
        author: [n].
        step: [n]; of one step, the order of rows decides.
        first: how many of an author's texts make the reference, at least 1.

    Returns:
        [n] in [0, 2]; NaN for the first texts themselves.

    Source: ours.
    """
    names, codes = _codes(vectors, author, "author")
    distance = np.full(len(codes), _NAN)
    order = np.lexsort((np.arange(len(codes)), np.asarray(step), codes))
    rank = np.arange(len(codes)) - np.searchsorted(codes[order], codes[order])
    early, late = order[rank < first], order[rank >= first]
    if len(late):
        directions = _directions(vectors[early], codes[early], len(names))
        alike = np.asarray(vectors[late] @ directions.T, dtype=np.float64)
        distance[late] = 1.0 - alike[np.arange(len(late)), codes[late]]
    return distance


def drift_slope(distance: ArrayLike, author: ArrayLike, step: ArrayLike) -> float:
    """Change of distance per step within people: the slope of a regression with a level for each person.

    Args:
        distance: [n]; NaN rows are left out.
        author: [n].
        step: [n].

    Returns:
        Distance per step: above 0 people move away, 0 they stay, below 0 they come closer. NaN when nobody wrote
        at two different steps.

    Source: ours (within estimator, e.g. Wooldridge 2010 §10.5).
    """
    joint, square = _within_people(distance, author, step)
    return float(joint.sum() / square.sum()) if len(square) else _NAN


def drift(
    distance: ArrayLike,
    author: ArrayLike,
    step: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """`drift_slope` with a bootstrap interval over people; none for fewer than two who wrote at different steps."""
    joint, square = _within_people(distance, author, step)
    n = len(square)
    slope = float(joint.sum() / square.sum()) if n else _NAN
    if n < 2:
        return Estimate(slope, *NO_INTERVAL)
    drawn = rng.multinomial(n, np.full(n, 1.0 / n), size=resamples).astype(np.float64)
    slopes = (drawn @ joint) / (drawn @ square)
    low, high = np.quantile(slopes, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Estimate(slope, float(low), float(high))


def _within_people(
    distance: ArrayLike, author: ArrayLike, step: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ (t − t̄)(d − d̄) and Σ (t − t̄)² of each person who wrote at two different steps."""
    d, t = np.asarray(distance, dtype=np.float64), np.asarray(step, dtype=np.float64)
    who = np.asarray(author)
    if not len(d) == len(t) == len(who):
        raise MetricInputError(f"{len(d)} distances, {len(who)} authors, {len(t)} steps; expected one each")
    known = np.isfinite(d)
    d, t = d[known], t[known]
    _, codes = np.unique(who[known], return_inverse=True)
    count = np.bincount(codes)
    d = d - (np.bincount(codes, weights=d) / count)[codes]
    t = t - (np.bincount(codes, weights=t) / count)[codes]
    joint, square = np.bincount(codes, weights=t * d), np.bincount(codes, weights=t * t)
    moving = square > 0
    return joint[moving].astype(np.float64), square[moving].astype(np.float64)


def _directions(vectors: Vectors, codes: NDArray[np.intp], n: int) -> NDArray[np.floating]:
    """[n, d]: the mean of each group's rows, scaled to length 1; zeros stay zeros."""
    from scipy.sparse import csr_matrix, issparse

    chosen = csr_matrix(
        (np.ones(len(codes), dtype=np.float32), (codes, np.arange(len(codes)))), (n, len(codes))
    )
    totals = chosen @ vectors
    dense: NDArray[np.floating] = totals.toarray() if issparse(totals) else np.asarray(totals)
    length = np.linalg.norm(dense, axis=1, keepdims=True)
    return np.asarray(dense / np.where(length > 0, length, 1))


def _codes(vectors: Vectors, author: ArrayLike, name: str) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    who = np.asarray(author)
    _check(vectors, who, name)
    names, codes = np.unique(who, return_inverse=True)
    return names, codes


def _check(vectors: Vectors, who: NDArray[np.generic], name: str) -> None:
    if len(who) != vectors.shape[0]:
        raise MetricInputError(f"{name}: got {len(who)}; expected one for each of {vectors.shape[0]} texts")
