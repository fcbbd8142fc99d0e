"""Whom people follow: how much of the other side reaches them, and whether they hear their own echo.

Edges run from follower to followee: what somebody is exposed to is what lies at the end of their edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.networks.labels import labelled, require_one_a_node
from metrics.networks.mixing import weighted_correlation
from metrics.networks.network import Network


def cross_side_following(network: Network, sides: NDArray[Any]) -> float:
    """Share of the other side among those whom a user follows, averaged over users who follow anyone.

    1: everybody follows only the other side; 0: only their own; sides of equal size and blind choice give
    about ½.

    Args:
        network: from follower to followee; undirected ties count both ways. Ties count by weight.
        sides: [n]; nodes labelled None or NaN are left out with their edges.

    Returns:
        In [0, 1]; NaN when nobody of known side follows anyone of known side.

    Raises:
        MetricInputError: not one side a node.

    Source: cross-cutting exposure of the network, Bakshy, Messing and Adamic 2015; the mean over users is ours.
    """
    known = labelled(network, sides)
    arcs = known.network.weights.tocoo()
    crossing = known.codes[arcs.row] != known.codes[arcs.col]
    across = np.bincount(arcs.row[crossing], weights=arcs.data[crossing], minlength=known.network.n)
    sent = known.network.out_strength
    return float(np.mean(across[sent > 0] / sent[sent > 0])) if (sent > 0).any() else float("nan")


def neighbourhood_leaning(network: Network, leaning: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean leaning of those whom each user follows.

    Args:
        network: from follower to followee; ties count by weight.
        leaning: [n] finite, such as stances in [−1, 1]; those with NaN are not heard.

    Returns:
        [n]; NaN for a user who follows nobody with a leaning.

    Raises:
        MetricInputError: not one leaning a node.
    """
    require_one_a_node("leaning", leaning, network)
    numbers = np.asarray(leaning, dtype=np.float64)
    known = np.isfinite(numbers)
    total = network.weights @ np.where(known, numbers, 0.0)
    heard = network.weights @ known.astype(np.float64)
    mean: NDArray[np.float64] = np.divide(total, heard, out=np.full(network.n, np.nan), where=heard > 0)
    return mean


def echo_chamber(network: Network, leaning: NDArray[np.float64]) -> float:
    """Pearson correlation of each user's leaning with the mean leaning of those they follow.

    1: users hear exactly what they hold; 0: what they hear has nothing to do with what they hold; negative:
    they hear the opposite.

    Args:
        network: as `neighbourhood_leaning`.
        leaning: as `neighbourhood_leaning`.

    Returns:
        In [−1, 1]; NaN with fewer than two users who lean and follow somebody who leans, or when either
        number is the same for all of them.

    Raises:
        MetricInputError: not one leaning a node.

    Source: Cinelli, De Francisci Morales, Galeazzi, Quattrociocchi and Starnini 2021, who plot the joint
    distribution; its correlation as the one number is ours.
    """
    around = neighbourhood_leaning(network, leaning)
    own = np.asarray(leaning, dtype=np.float64)
    both = np.isfinite(around) & np.isfinite(own)
    return weighted_correlation(own[both], around[both], np.ones(int(both.sum())))
