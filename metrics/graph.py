"""How well a labelling of nodes fits a weighted undirected graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class _Mixing(NamedTuple):
    """`inside`: share of edge ends that stay within their label; `ends`: share of edge ends per label."""

    inside: float
    ends: NDArray[np.float64]


def require_undirected(weights: csr_matrix) -> None:
    """Refuse what is not the matrix of a weighted, undirected graph without self-loops.

    Raises:
        MetricInputError: not square, not symmetric, an entry on the diagonal, or a negative weight.
    """
    if weights.shape[0] != weights.shape[1]:
        raise MetricInputError(f"weights: got shape {weights.shape}; expected [n, n]")
    if weights.diagonal().any():
        raise MetricInputError("weights: self-loops on the diagonal; set them to 0")
    if weights.nnz and weights.data.min() < 0:
        raise MetricInputError(f"weights: got {weights.data.min()}; expected no negative weight")
    if (weights != weights.T).nnz:
        raise MetricInputError("weights: not symmetric; add the transpose to treat arcs as undirected edges")


def modularity(weights: csr_matrix, labels: NDArray[Any]) -> float:
    """Newman's Q at resolution 1: how much more weight lies within labels than degrees alone would put there.

    1 is approached by many dense, separate groups; 0 is what random wiring of the same degrees gives (one
    label for all gives exactly 0); negative (down to −1/2) means that edges avoid the groups.

    Args:
        weights: symmetric [n, n], zero diagonal, entries ≥ 0.
        labels: [n], any values.

    Returns:
        Q ∈ [−1/2, 1); NaN for a graph without edges, where it is not defined.

    Raises:
        MetricInputError: a matrix that is not square, or with self-loops or negative weights; wrong length.

    Source: Newman and Girvan 2004; weighted form Newman 2004.
    """
    require_undirected(weights)
    _require_labels(weights, labels)
    mixing = _mixing(weights, np.unique(labels, return_inverse=True)[1])
    return float("nan") if mixing is None else mixing.inside - float(np.sum(mixing.ends**2))


def assortativity(weights: csr_matrix, labels: NDArray[Any]) -> float:
    """Newman's categorical assortativity: modularity over the largest that these labels could have.

    1 means that every edge stays within its label; 0 that edges ignore labels; negative that they prefer
    the other label.

    Args:
        weights: symmetric [n, n], zero diagonal, entries ≥ 0.
        labels: [n]; nodes labelled None or NaN are left out with their edges.

    Returns:
        r ∈ [−1, 1]; NaN without edges between labelled nodes or when all of them carry one label.

    Raises:
        MetricInputError: as `modularity`.

    Source: Newman 2003, "Mixing patterns in networks", eq. 2.
    """
    require_undirected(weights)
    _require_labels(weights, labels)
    known = np.array([value is not None and value == value for value in labels], dtype=bool)
    if not known.any():
        return float("nan")
    codes = np.unique(labels[known], return_inverse=True)[1]
    mixing = _mixing(weights[known][:, known], codes)
    if mixing is None:
        return float("nan")
    expected = float(np.sum(mixing.ends**2))
    return float("nan") if np.isclose(expected, 1.0) else (mixing.inside - expected) / (1.0 - expected)


def _mixing(weights: csr_matrix, codes: NDArray[np.intp]) -> _Mixing | None:
    edges = weights.tocoo()
    total = float(edges.data.sum())
    if total == 0.0:
        return None
    inside = float(edges.data[codes[edges.row] == codes[edges.col]].sum())
    ends = np.bincount(codes[edges.row], weights=edges.data, minlength=int(codes.max()) + 1)
    return _Mixing(inside / total, ends / total)


def _require_labels(weights: csr_matrix, labels: NDArray[Any]) -> None:
    if len(labels) != weights.shape[0]:
        raise MetricInputError(f"labels: got {len(labels)} for {weights.shape[0]} nodes; expected one a node")
