"""Diversity of meaning: how far apart texts lie as unit vectors, within people and between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.errors import MetricInputError

_NAN = float("nan")


class Spread(NamedTuple):
    """Mean cosine distances.

    Args:
        within: between two texts of one person, averaged over people with at least two; NaN without any.
        between: between texts of two people, every pair of people weighing the same; NaN for fewer than two.
    """

    within: float
    between: float

    @property
    def separation(self) -> float:
        """`between − within`: 0 when a person's texts are no closer to each other than to anybody's."""
        return self.between - self.within


def mean_cosine_distance(vectors: NDArray[np.floating]) -> float:
    """Mean of 1 − cos over all pairs.

    Args:
        vectors: [n, d], rows of length 1.

    Returns:
        In [0, 2]: 0 all texts mean the same, 1 they have nothing in common. NaN for fewer than two. Does not
        depend on n but for chance.

    Source: embedding diversity as in Tevet & Berant 2021, arXiv 2004.02990 (mean over pairs). For unit rows
        Σ_{i≠j} cos = |Σ v|² − n, so no pair is looked at.
    """
    n = len(vectors)
    if n < 2:
        return _NAN
    total = vectors.sum(axis=0, dtype=np.float64)
    return max(0.0, 1.0 - (float(total @ total) - n) / (n * (n - 1)))


def vendi_score(vectors: NDArray[np.floating]) -> float:
    """The effective number of different texts: exp of the entropy of the eigenvalues of K/n, K = V Vᵀ.

    Args:
        vectors: [n, d], rows of length 1.

    Returns:
        From 1 (all the same) to n (all orthogonal; at most d). NaN for no text. Grows with n: compare equal n.

    Source: Friedman & Dieng 2023, arXiv 2210.02410; K/n and VᵀV/n have the same eigenvalues above 0.
    """
    n = len(vectors)
    if not n:
        return _NAN
    exact = vectors.astype(np.float64)
    gram = (exact @ exact.T if n <= exact.shape[1] else exact.T @ exact) / n
    eigenvalues = np.linalg.eigvalsh(gram)
    positive = eigenvalues[eigenvalues > 1e-12]
    score = float(np.exp(-(positive * np.log(positive)).sum()))
    return min(max(score, 1.0), float(n))  # rounding


def spread(vectors: NDArray[np.floating], author: ArrayLike) -> Spread:
    """How alike the texts of one person are, and those of different people.

    `between` falling towards `within` is homogenisation across people: everybody writes alike. Both falling is
    homogenisation of everything.

    Args:
        vectors: [n, d], rows of length 1.
        author: [n].

    Raises:
        MetricInputError: for lengths that differ.

    Source: ours.
    """
    who, codes = np.unique(np.asarray(author), return_inverse=True)
    if len(codes) != len(vectors):
        raise MetricInputError(f"author: got {len(codes)}; expected one for each of {len(vectors)} vectors")
    if not len(who):
        return Spread(_NAN, _NAN)
    count = np.bincount(codes)
    totals = np.zeros((len(who), vectors.shape[1]))
    np.add.at(totals, codes, vectors.astype(np.float64))
    several = count > 1
    pairs = count[several] * (count[several] - 1)
    alike = ((totals[several] ** 2).sum(axis=1) - count[several]) / pairs
    means = totals / count[:, None]
    n = len(who)
    across = ((means.sum(axis=0) ** 2).sum() - (means**2).sum()) / (n * (n - 1)) if n > 1 else _NAN
    return Spread(float(1.0 - alike.mean()) if len(alike) else _NAN, float(1.0 - across))
