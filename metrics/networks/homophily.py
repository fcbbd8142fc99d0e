"""Do like meet like? Shares of ties and of pairs within a side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.networks.labels import labelled
from metrics.networks.network import Network
from metrics.networks.partitions import ISOLATED


def ei_index(network: Network, sides: NDArray[Any]) -> float:
    """Krackhardt and Stern's E–I index: external minus internal ties over all ties.

    1: all ties cross sides; 0: as many cross as stay; −1: none crosses. It knows nothing of chance: with
    sides of unequal size or degree 0 is not the random value, so compare with `permutation_test`.

    Args:
        network: weighted (ties count by weight), directed or not.
        sides: [n]; nodes labelled None or NaN are left out with their edges.

    Returns:
        In [−1, 1]; NaN without edges between nodes of known side.

    Raises:
        MetricInputError: not one side a node.

    Source: Krackhardt and Stern 1988.
    """
    known = labelled(network, sides)
    source, target, weight = known.network.edges
    if not len(weight):
        return float("nan")
    same = known.codes[source] == known.codes[target]
    internal = float(np.multiply(weight, same).sum()) / known.network.total
    return 1.0 - 2.0 * internal


def coleman_homophily(network: Network, sides: NDArray[Any]) -> pd.Series[float]:
    """Coleman's homophily index of each side: how far it prefers itself beyond its share of the others.

    1: all ties of its members stay inside; 0: as many as if they picked at random among all others; −1: none
    stays although some would by chance.

    Args:
        network: weighted, directed (ties by those who send them) or not (each tie counts at both ends).
        sides: [n]; nodes labelled None or NaN are left out with their edges.

    Returns:
        One value in [−1, 1] for each side, by its name in order of first appearance; NaN for a side whose
        members have no ties, or that holds everybody.

    Raises:
        MetricInputError: not one side a node.

    Source: Coleman 1958, in the form of Bojanowski and Corten 2014 (chance: (n_g − 1)/(n − 1)).
    """
    known = labelled(network, sides)
    source, target, weight = known.network.edges
    if not network.directed:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
        weight = np.tile(weight, 2)
    k, n = len(known.names), known.network.n
    inside = known.codes[source] == known.codes[target]
    own = np.bincount(known.codes[source[inside]], weights=weight[inside], minlength=k)
    sent = np.bincount(known.codes[source], weights=weight, minlength=k)
    members = np.bincount(known.codes, minlength=k)
    chance = sent * (members - 1) / max(n - 1, 1)
    room = np.where(own >= chance, sent - chance, chance)
    values = np.divide(own - chance, room, out=np.full(k, np.nan), where=(room > 0) & (sent > 0))
    return pd.Series(values, index=pd.Index(known.names, name="side"), name="coleman_homophily")


def within_community_homophily(labels: NDArray[np.int64], side: NDArray[Any]) -> float:
    """Share of same-side pairs among the pairs inside a community, averaged by community size.

    1: every community is one-sided; the same-side share of all pairs (`same_side_pairs`, about 0.5 for two
    equal sides): communities ignore sides; 0: no two members of a community ever agree.

    Args:
        labels: [n], communities of `Partition`; isolated nodes are in no pair.
        side: [n] in the same order; members without a side (None or NaN) are left out.

    Returns:
        In [0, 1]; NaN when no community holds two members with a side.

    Raises:
        MetricInputError: lengths that differ.

    Source: arXiv 2606.02437 table 6 names it; weighting each community's share by its members is ours.
    """
    if len(labels) != len(side):
        raise MetricInputError(f"{len(labels)} labels and {len(side)} sides; expected one side a label")
    which = pd.factorize(np.asarray(side))[0]
    known = (labels != ISOLATED) & (which >= 0)
    if not known.any():
        return float("nan")
    counts = np.zeros((int(labels[known].max()) + 1, int(which.max()) + 1))
    np.add.at(counts, (labels[known], which[known]), 1.0)
    size = counts.sum(axis=1)
    counts, size = counts[size >= 2], size[size >= 2]
    if not len(size):
        return float("nan")
    same = (counts * (counts - 1)).sum(axis=1) / (size * (size - 1))
    return float(np.average(same, weights=size))


def same_side_pairs(side: NDArray[Any]) -> float:
    """Share of same-side pairs among all pairs: what `within_community_homophily` gives by chance.

    Args:
        side: [n]; None and NaN are left out.

    Returns:
        In [0, 1]; NaN with fewer than two known sides.

    Source: Simpson 1949, without replacement.
    """
    counts = pd.Series(side, dtype=object).value_counts().to_numpy(dtype=np.float64)
    n = counts.sum()
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n >= 2 else float("nan")
