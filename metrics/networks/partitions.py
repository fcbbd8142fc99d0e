"""Communities of a network: the best of several searches, and how far the searches agree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.networks.mixing import modularity
from metrics.networks.network import Network
from metrics.networks.searches import Method, Run, require_method, search

RESTARTS = 5
ISOLATED = -1


class Partition(NamedTuple):
    """A division of the nodes.

    Args:
        labels: [n]; 0, 1, … by falling size (then by first node), `ISOLATED` (−1) for nodes without edges.
        modularity: Newman's Q of it (directed where the network is), whatever the search maximised; NaN for
            a network without edges.
    """

    labels: NDArray[np.int64]
    modularity: float

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Nodes in each community; isolated nodes are in none."""
        return np.bincount(self.labels[self.labels != ISOLATED]).astype(np.int64)


class Stability(NamedTuple):
    """How alike partitions are, on average over their pairs.

    Args:
        nmi: normalised mutual information (arithmetic mean), in [0, 1]; 1 for equal partitions.
        ari: adjusted Rand index, ≤ 1; 1 for equal partitions, about 0 for unrelated ones.
    """

    nmi: float
    ari: float


class Restarts(NamedTuple):
    """Every run of a search and their best.

    Args:
        best: the partition of the greatest quality; of equal ones the first.
        stability: of the runs; NaN with fewer than two runs or without edges.
        runs: the partitions, in the order of the runs.
    """

    best: Partition
    stability: Stability
    runs: tuple[Partition, ...]


def find_partition(
    network: Network, *, rng: np.random.Generator, method: Method = "leiden", restarts: int = RESTARTS
) -> Partition:
    """The best of several searches for communities.

    Best-of and not consensus, so that a reported modularity is as near to the maximum as the searches came;
    `consensus_partition` gives the memberships that searches agree on. Nodes without edges belong to no
    community: as communities of one they would make every sparse network look richly structured.

    Args:
        network: weighted, directed or not.
        rng: the only source of chance; the same state gives the same partition.
        method: `leiden`, `louvain` (undirected only), `infomap` or `surprise`; see `searches.search`.
        restarts: searches to choose from, ≥ 1; the greatest quality in the method's own measure wins.

    Returns:
        The best partition; without edges all nodes isolated and Q = NaN.

    Raises:
        MetricInputError: `restarts` below 1, an unknown method, or Louvain for a directed network.

    Source: as the methods'; igraph and leidenalg do the work.
    """
    linked = np.flatnonzero(network.linked)
    runs = _runs(network, linked, rng, method, restarts)
    return _partition(network, linked, max(runs, key=lambda run: run.quality))


def find_partitions(
    network: Network, *, rng: np.random.Generator, method: Method = "leiden", restarts: int = RESTARTS
) -> Restarts:
    """`find_partition`, with all runs and how far they agree.

    Runs that disagree say that the network has no single community structure, however large its best
    modularity is.

    Args:
        network: as `find_partition`.
        rng: as `find_partition`.
        method: as `find_partition`.
        restarts: as `find_partition`.

    Raises:
        MetricInputError: as `find_partition`.

    Source: stability by mean pairwise similarity of runs: Lancichinetti and Fortunato 2012.
    """
    linked = np.flatnonzero(network.linked)
    runs = _runs(network, linked, rng, method, restarts)
    partitions = tuple(_partition(network, linked, run) for run in runs)
    best = max(range(len(runs)), key=lambda i: runs[i].quality)
    return Restarts(partitions[best], stability([p.labels[linked] for p in partitions]), partitions)


def stability(labels: Sequence[NDArray[np.int64]]) -> Stability:
    """Mean pairwise similarity of partitions of the same nodes.

    Args:
        labels: partitions, each [n].

    Returns:
        1 where all are equal; NaN with fewer than two partitions or without nodes.

    Source: NMI, Danon et al. 2005; adjusted Rand index, Hubert and Arabie 1985; scikit-learn's.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    pairs = [(a, b) for a, b in combinations(labels, 2) if len(a)]
    if not pairs:
        return Stability(float("nan"), float("nan"))
    return Stability(
        float(np.mean([normalized_mutual_info_score(a, b) for a, b in pairs])),
        float(np.mean([adjusted_rand_score(a, b) for a, b in pairs])),
    )


def _runs(
    network: Network, linked: NDArray[np.intp], rng: np.random.Generator, method: Method, restarts: int
) -> list[Run]:
    if restarts < 1:
        raise MetricInputError(f"restarts: got {restarts}; expected at least 1")
    require_method(network, method)
    seed = int(rng.integers(2**63))
    if not len(linked):
        return [Run(np.empty(0, dtype=np.int64), float("nan"))]
    return search(network if len(linked) == network.n else network.among(linked), method, seed, restarts)


def _partition(network: Network, linked: NDArray[np.intp], run: Run) -> Partition:
    labels = np.full(network.n, ISOLATED, dtype=np.int64)
    labels[linked] = by_size(run.labels)
    return Partition(labels, modularity(network, labels))


def by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumber communities 0, 1, … by falling size, then by first member."""
    found, first, codes, size = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(found))
    return rank[codes]
