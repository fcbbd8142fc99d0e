"""The communities that searches agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError, MetricsError
from metrics.networks.mixing import modularity
from metrics.networks.network import Network
from metrics.networks.partitions import ISOLATED, Partition, by_size
from metrics.networks.searches import Method, require_method, search

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

RUNS = 20
THRESHOLD = 0.5
_ROUNDS = 50


def consensus_partition(
    network: Network,
    *,
    rng: np.random.Generator,
    method: Method = "leiden",
    runs: int = RUNS,
    threshold: float = THRESHOLD,
) -> Partition:
    """The memberships that repeated searches settle on.

    Search `runs` times; make a new network whose weight between two nodes is the share of runs that put them
    together, without what lies below the threshold; search that one; and so on until all runs agree. Where
    searches land on different partitions of nearly equal modularity, the consensus keeps what they share:
    it is the steadier description, `find_partition` the one of greater modularity.

    Args:
        network: weighted, directed or not.
        rng: the only source of chance; the same state gives the same partition.
        method: as `find_partition`.
        runs: searches in each round, ≥ 2.
        threshold: share of runs below which two nodes are not tied in the next round, in [0, 1); a node
            that would lose all ties keeps its strongest.

    Returns:
        The partition, with its modularity in the network given; without edges all nodes isolated.

    Raises:
        MetricInputError: runs below 2, a threshold outside [0, 1), an unknown method, or Louvain for a
            directed network.
        MetricsError: no agreement within 50 rounds.

    Source: Lancichinetti and Fortunato 2012. Memory: the sum over communities of their size squared.
    """
    if runs < 2:
        raise MetricInputError(f"runs: got {runs}; expected at least 2 to agree")
    if not 0.0 <= threshold < 1.0:
        raise MetricInputError(f"threshold: got {threshold}; expected a number in [0, 1)")
    require_method(network, method)
    linked = np.flatnonzero(network.linked)
    labels = np.full(network.n, ISOLATED, dtype=np.int64)
    if len(linked):
        labels[linked] = by_size(_agreed(network.among(linked), method, runs, threshold, rng))
    return Partition(labels, modularity(network, labels))


def _agreed(
    network: Network, method: Method, runs: int, threshold: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    for _ in range(_ROUNDS):
        found = [by_size(run.labels) for run in search(network, method, int(rng.integers(2**63)), runs)]
        if all(np.array_equal(found[0], other) for other in found[1:]):
            return found[0]
        network = Network(_together(np.array(found), threshold))
    raise MetricsError(
        f"consensus: {runs} {method} runs did not agree within {_ROUNDS} rounds; try another threshold than "
        f"{threshold}"
    )


def _together(labels: NDArray[np.int64], threshold: float) -> csr_matrix:
    """[n, n] share of the partitions (labels: [runs, n]) in which two nodes are together, weak ties cut."""
    from scipy.sparse import coo_matrix, csr_matrix

    runs, n = labels.shape
    groups = labels + np.arange(runs)[:, None] * (labels.max() + 1)
    member = csr_matrix((np.ones(runs * n), (np.tile(np.arange(n), runs), groups.ravel())))
    shares = (member @ member.T / runs).tocsr()
    shares.setdiag(0.0)
    kept = shares.multiply(shares >= max(threshold, 1.0 / (2 * runs))).tocsr()
    kept.eliminate_zeros()
    lost = np.flatnonzero((np.diff(kept.indptr) == 0) & (shares.max(axis=1).toarray().ravel() > 0))
    if not len(lost):
        return kept
    partner = np.asarray(shares[lost].argmax(axis=1)).ravel()
    strongest = np.asarray(shares[lost, partner]).ravel()
    saved = coo_matrix((strongest, (lost, partner)), shape=(n, n)).tocsr()
    return kept.maximum(saved.maximum(saved.T)).tocsr()
