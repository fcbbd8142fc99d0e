"""How well given labels or numbers of the nodes fit the edges: modularity and assortativity."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.networks.labels import labelled, require_one_a_node
from metrics.networks.network import Network
from metrics.rounding import all_equal


class _Mixing(NamedTuple):
    """`inside`: share of edge weight within a label; `expected`: the same under random wiring."""

    inside: float
    expected: float


def modularity(network: Network, labels: NDArray[Any]) -> float:
    """Newman's Q at resolution 1: how much more weight lies within labels than degrees alone would put there.

    1 is approached by many dense, separate groups; 0 is what random wiring of the same degrees gives (one
    label for all gives 0); negative (down to −1/2) means that edges avoid the groups.
    Directed: Q = Σ_ij [A_ij/m − k_i^out k_j^in / m²] δ(c_i, c_j), which for a symmetric matrix is the same.

    Args:
        network: weighted, directed or not.
        labels: [n]; nodes labelled None or NaN are left out with their edges.

    Returns:
        Q ∈ [−1/2, 1); NaN without edges between labelled nodes, where it is not defined.

    Raises:
        MetricInputError: not one label a node.

    Source: Newman and Girvan 2004; weighted, Newman 2004; directed, Leicht and Newman 2008; least value, Brandes
    et al. 2008 (directed, since Σ out·in ≤ Σ ((out + in)/2)²: never below the symmetric part's).
    """
    mixing = _mixing(network, labels)
    return float("nan") if mixing is None else mixing.inside - mixing.expected


def assortativity(network: Network, labels: NDArray[Any]) -> float:
    """Newman's categorical assortativity: modularity over the largest that these labels could have.

    1 means that every edge stays within its label; 0 that edges ignore labels; negative that they prefer
    another label.

    Args:
        network: weighted, directed or not.
        labels: as `modularity`.

    Returns:
        r ∈ [−1, 1]; NaN without edges between labelled nodes or when all of them carry one label.

    Raises:
        MetricInputError: as `modularity`.

    Source: Newman 2003, "Mixing patterns in networks", eq. 2.
    """
    mixing = _mixing(network, labels)
    if mixing is None or np.isclose(mixing.expected, 1.0):
        return float("nan")
    return (mixing.inside - mixing.expected) / (1.0 - mixing.expected)


def numeric_assortativity(network: Network, values: NDArray[np.float64]) -> float:
    """Pearson correlation of a number across edges: do users with like stances meet?

    1: both ends of every edge agree up to one scale; 0: no relation; negative: opposites meet. An undirected
    edge counts in both directions.

    Args:
        network: weighted, directed or not.
        values: [n] finite, such as stances; nodes with NaN are left out with their edges.

    Returns:
        r ∈ [−1, 1]; NaN without edges between nodes of known value, or when one end never varies.

    Raises:
        MetricInputError: not one value a node.

    Source: Newman 2003, eq. 21; weighting by edge weight is the natural extension.
    """
    require_one_a_node("values", values, network)
    numbers = np.asarray(values, dtype=np.float64)
    source, target, weight = network.edges
    known = np.isfinite(numbers[source]) & np.isfinite(numbers[target])
    ends = numbers[source[known]], numbers[target[known]]
    if not network.directed:
        ends = np.concatenate(ends), np.concatenate(ends[::-1])
    return weighted_correlation(*ends, np.resize(weight[known], len(ends[0])))


def weighted_correlation(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """Pearson's r with weights.

    Returns:
        In [−1, 1]; NaN without pairs or when x or y is constant (but for rounding).
    """
    if all_equal(x) or all_equal(y):
        return float("nan")
    share = weight / weight.sum()
    dx, dy = x - (share * x).sum(), y - (share * y).sum()
    r = (share * dx * dy).sum() / np.sqrt((share * dx**2).sum() * (share * dy**2).sum())
    return float(np.clip(r, -1.0, 1.0))


def _mixing(network: Network, labels: NDArray[Any]) -> _Mixing | None:
    known = labelled(network, labels)
    network, codes = known.network, known.codes
    if network.total == 0.0:
        return None
    source, target, weight = network.edges
    small = codes.astype(np.min_scalar_type(len(known.names)))  # a million look-ups, from the cache
    same = small.take(source) == small.take(target)
    weight_inside = np.count_nonzero(same) if network.unit else np.multiply(weight, same).sum()
    inside = float(weight_inside) / network.total
    out = np.bincount(codes, weights=network.out_strength)
    into = np.bincount(codes, weights=network.in_strength) if network.directed else out
    ends = network.total if network.directed else 2.0 * network.total
    return _Mixing(inside, float((out / ends) @ (into / ends)))
