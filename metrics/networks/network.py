"""A graph, checked once so that every measure can trust it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metrics.errors import MetricInputError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


class Edges(NamedTuple):
    """Every edge once; an undirected one has `source` < `target`, all are in order of source, then target.

    Args:
        source: [m] node numbers.
        target: [m] node numbers.
        weight: [m], > 0.
    """

    source: NDArray[np.intp]
    target: NDArray[np.intp]
    weight: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Network:
    """A weighted graph without self-loops on nodes 0 … n−1.

    Args:
        weights: [n, n], entries ≥ 0, zero diagonal; entry (i, j) is the weight of the edge from i to j. Not
            changed, and not to be changed by others afterwards.
        directed: False asks for a symmetric matrix, so that no direction is lost unnoticed.

    Raises:
        MetricInputError: not square, an entry on the diagonal, a negative or non-finite weight, or not
            symmetric although undirected.
    """

    weights: csr_matrix
    directed: bool = False

    def __post_init__(self) -> None:
        from scipy.sparse import csr_matrix

        matrix = csr_matrix(self.weights, dtype=np.float64)
        if matrix.shape[0] != matrix.shape[1]:
            raise MetricInputError(f"weights: got shape {matrix.shape}; expected [n, n]")
        if (wrong := ~(np.isfinite(matrix.data) & (matrix.data >= 0))).any():
            raise MetricInputError(f"weights: got {matrix.data[wrong][0]}; expected finite numbers ≥ 0")
        if not matrix.has_canonical_format or not matrix.data.all():
            matrix = matrix.copy()
            matrix.sum_duplicates()
            matrix.eliminate_zeros()
        if matrix.diagonal().any():
            raise MetricInputError("weights: self-loops on the diagonal; set them to 0")
        if not self.directed and (matrix != matrix.T).nnz:
            raise MetricInputError(
                "weights: not symmetric; pass directed=True, or add the transpose to make arcs undirected"
            )
        object.__setattr__(self, "weights", matrix)

    @classmethod
    def from_edges(
        cls,
        source: ArrayLike,
        target: ArrayLike,
        n: int,
        weight: ArrayLike | None = None,
        *,
        directed: bool = False,
    ) -> Network:
        """A network of listed edges; the weights of parallel edges (and of both directions) are added.

        Args:
            source: [m] node numbers.
            target: [m] node numbers.
            n: number of nodes.
            weight: [m], > 0; None counts each row as 1.
            directed: whether (a, b) differs from (b, a).

        Raises:
            MetricInputError: as the class, a node outside 0 … n−1, or lengths that differ.
        """
        from scipy.sparse import coo_matrix

        ends = np.asarray(source, dtype=np.intp), np.asarray(target, dtype=np.intp)
        values = np.ones(len(ends[0])) if weight is None else np.asarray(weight, dtype=np.float64)
        if not len(ends[0]) == len(ends[1]) == len(values):
            raise MetricInputError(
                f"edges: {len(ends[0])} sources, {len(ends[1])} targets and {len(values)} weights; "
                "expected one of each an edge"
            )
        if any(len(end) and not 0 <= end.min() <= end.max() < n for end in ends):
            raise MetricInputError(f"edges: a node outside 0 … {n - 1}; expected n = {n} to count all nodes")
        arcs = coo_matrix((values, ends), shape=(n, n)).tocsr()
        return cls(arcs if directed else (arcs + arcs.T).tocsr(), directed)

    @property
    def n(self) -> int:
        """Number of nodes, isolated ones included."""
        return int(self.weights.shape[0])

    @property
    def m(self) -> int:
        """Number of edges (arcs, where directed)."""
        return int(self.weights.nnz) if self.directed else int(self.weights.nnz) // 2

    @cached_property
    def edges(self) -> Edges:
        """Every edge once."""
        source = np.repeat(np.arange(self.n), np.diff(self.weights.indptr))
        target = self.weights.indices.astype(np.intp)
        weight = np.asarray(self.weights.data)
        if self.directed:
            return Edges(source, target, weight)
        upper = source < target
        return Edges(source[upper], target[upper], weight[upper])

    @cached_property
    def out_strength(self) -> NDArray[np.float64]:
        """[n] weight of the edges that leave each node; undirected: of all its edges."""
        return np.asarray(self.weights.sum(axis=1)).ravel()

    @cached_property
    def in_strength(self) -> NDArray[np.float64]:
        """[n] weight of the edges that reach each node; undirected: the same as `out_strength`."""
        return np.asarray(self.weights.sum(axis=0)).ravel()

    @cached_property
    def unit(self) -> bool:
        """Whether every edge has the weight 1."""
        return bool((self.weights.data == 1.0).all())

    @cached_property
    def total(self) -> float:
        """Weight of all edges, each once."""
        return float(self.edges.weight.sum())

    @property
    def linked(self) -> NDArray[np.bool_]:
        """[n] whether a node has any edge."""
        return (self.out_strength + self.in_strength) > 0

    def undirected(self) -> Network:
        """The same with directions dropped: the weights of both directions are added."""
        return Network((self.weights + self.weights.T).tocsr()) if self.directed else self

    def unweighted(self) -> Network:
        """The same with every weight 1."""
        matrix = self.weights.copy()
        matrix.data = np.ones_like(matrix.data)
        return Network(matrix, self.directed)

    def among(self, nodes: NDArray[np.bool_] | NDArray[np.intp]) -> Network:
        """The nodes chosen, renumbered in the given order, with the edges between them."""
        return Network(self.weights[nodes][:, nodes], self.directed)

    def largest_component(self) -> NDArray[np.intp]:
        """The nodes of the largest connected component (directions aside); of equal ones the first."""
        from scipy.sparse.csgraph import connected_components

        if not self.n:
            return np.empty(0, dtype=np.intp)
        labels = connected_components(self.weights, directed=True, connection="weak")[1]
        return np.flatnonzero(labels == np.bincount(labels).argmax())
