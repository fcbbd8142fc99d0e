"""Communities of a weighted graph: finding them, counting them, and who lives in them together."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.graph import modularity, require_undirected

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

RESTARTS = 5
ISOLATED = -1
_IGRAPH_GENERATOR = threading.Lock()  # igraph has one generator a process


class Partition(NamedTuple):
    """A division of the nodes.

    Args:
        labels: [n]; 0, 1, … by falling size (then by first node), `ISOLATED` (−1) for nodes without edges.
        modularity: Newman's Q of it; NaN for a graph without edges.
    """

    labels: NDArray[np.int64]
    modularity: float

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Nodes in each community; isolated nodes are in none."""
        return np.bincount(self.labels[self.labels != ISOLATED]).astype(np.int64)


def leiden_partition(weights: csr_matrix, *, rng: np.random.Generator, restarts: int = RESTARTS) -> Partition:
    """The best of several Leiden runs on modularity, each until nothing improves.

    Users who met nobody belong to no community: as communities of one they would make every sparse network
    look richly structured.

    Args:
        weights: symmetric [n, n], zero diagonal, entries ≥ 0.
        rng: the only source of chance; the same state gives the same partition.
        restarts: runs to choose from, ≥ 1; of equal ones the first.

    Returns:
        The partition of the greatest modularity; without edges all nodes isolated and Q = NaN.

    Raises:
        MetricInputError: as `modularity`, or `restarts` below 1.

    Source: Traag, Waltman and van Eck 2019; igraph's `community_leiden`.
    """
    if restarts < 1:
        raise MetricInputError(f"restarts: got {restarts}; expected at least 1")
    require_undirected(weights)
    seed = int(rng.integers(2**63))
    labels = np.full(weights.shape[0], ISOLATED, dtype=np.int64)
    linked = np.flatnonzero(np.diff(weights.indptr))
    if not len(linked):
        return Partition(labels, float("nan"))
    inner = weights[linked][:, linked]
    labels[linked] = _by_size(_best_leiden(inner, seed, restarts))
    return Partition(labels, modularity(inner, labels[linked]))


def effective_communities(sizes: NDArray[np.int64]) -> float:
    """exp(Shannon entropy of community sizes): how many equal communities would be as diverse.

    k equal communities give k; one gives 1; never below 1.

    Args:
        sizes: members of each community, ≥ 1.

    Returns:
        In [1, len(sizes)]; NaN without communities.

    Source: Hill number of order 1 (Hill 1973); its use here is ours (REFERENCE: arXiv 2606.02437 table 6).
    """
    shares = _shares(sizes)
    return float(np.exp(-np.sum(shares * np.log(shares)))) if len(shares) else float("nan")


def inverse_simpson(sizes: NDArray[np.int64]) -> float:
    """1 / Σ share²: the effective number that counts large communities more; never above the Shannon one.

    k equal communities give k; one gives 1.

    Returns:
        In [1, len(sizes)]; NaN without communities.

    Source: Hill number of order 2 (Hill 1973; Simpson 1949).
    """
    shares = _shares(sizes)
    return float(1.0 / np.sum(shares**2)) if len(shares) else float("nan")


def side_homophily(labels: NDArray[np.int64], side: pd.Series[Any]) -> float:
    """Share of same-side pairs among the pairs inside a community, averaged by community size.

    1: every community is one-sided; the same-side share of all pairs (about 0.5 for two equal sides):
    communities ignore sides; 0: no two members of a community ever agree.

    Args:
        labels: [n], communities of `Partition`; isolated nodes are in no pair.
        side: [n] in the same order; members without a side are left out.

    Returns:
        In [0, 1]; NaN when no community holds two members with a side.

    Raises:
        MetricInputError: lengths that differ.

    Source: arXiv 2606.02437 table 6 names it; weighting each community's share by its members is ours.
    """
    if len(labels) != len(side):
        raise MetricInputError(f"{len(labels)} labels and {len(side)} sides; expected one side a label")
    known = (labels != ISOLATED) & side.notna().to_numpy()
    if not known.any():
        return float("nan")
    community, which = labels[known], pd.factorize(side[known])[0]
    counts = np.zeros((int(community.max()) + 1, int(which.max()) + 1))
    np.add.at(counts, (community, which), 1.0)
    size = counts.sum(axis=1)
    counts, size = counts[size >= 2], size[size >= 2]
    if not len(size):
        return float("nan")
    same = (counts * (counts - 1)).sum(axis=1) / (size * (size - 1))
    return float(np.average(same, weights=size))


def _best_leiden(weights: csr_matrix, seed: int, restarts: int) -> NDArray[np.int64]:
    """The best membership of `restarts` runs; igraph's process-wide generator is borrowed under a lock."""
    import igraph
    from scipy.sparse import triu

    upper = triu(weights, k=1).tocoo()
    graph = igraph.Graph(n=weights.shape[0], edges=np.column_stack([upper.row, upper.col]))
    graph.es["weight"] = upper.data
    with _IGRAPH_GENERATOR:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            runs = [
                graph.community_leiden("modularity", weights="weight", n_iterations=-1)
                for _ in range(restarts)
            ]
        finally:
            igraph.set_random_number_generator(random)  # igraph's own default
    best = max(runs, key=lambda run: float(run.quality))
    return np.array(best.membership, dtype=np.int64)


def _by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    found, first, codes, size = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(found))
    return rank[codes]


def _shares(sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.asarray(sizes, dtype=np.float64)
    if (counts < 1).any():
        raise MetricInputError(f"sizes: got {counts.min():g}; expected communities of at least 1 member")
    return counts / counts.sum() if len(counts) else counts
