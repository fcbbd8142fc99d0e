"""What happens at the boundary between sides: the edges that cross it, and the people who stand there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.networks.igraphs import as_igraph
from metrics.networks.labels import labelled, two_sides
from metrics.networks.network import Network

_GRID = 2_000
"""Points at which the two densities of betweenness are compared."""


def edge_betweenness(network: Network) -> NDArray[np.float64]:
    """Shortest paths through each edge, in the order of `network.edges`; exact, in time n · m.

    Weights play no part (a heavy edge is no long one), and several shortest paths share their count.

    Source: Brandes 2008; igraph's `edge_betweenness`.
    """
    return np.asarray(as_igraph(network).edge_betweenness(directed=network.directed), dtype=np.float64)


def betweenness_controversy(network: Network, sides: NDArray[Any]) -> float:
    """Garimella et al.'s BCC: do the edges across the sides carry more shortest paths than the rest?

    1 − exp(−KL), where KL is the divergence of the betweenness of crossing edges from that of the others,
    both as Gaussian kernel densities. 1 is approached when few crossing edges carry all traffic between the
    sides; 0: crossing edges are like any other.

    The paper estimates KL from 10,000 draws; here it is integrated numerically, so there is no sampling error.
    (Code in circulation takes the divergence of the drawn values, not of densities: its numbers are others.)

    Args:
        network: directions are dropped; weights play no part. Takes time n · m.
        sides: [n] with two different labels; nodes labelled None or NaN are left out with their edges.

    Returns:
        In [0, 1]; NaN with fewer than two sides, or when either kind of edge has fewer than two different
        values, which give no density.

    Raises:
        MetricInputError: more than two sides, or not one side a node.

    Source: Garimella et al. 2018, §5.
    """
    found = two_sides(network, sides)
    if found is None:
        return float("nan")
    plain = found.network.undirected()
    through = edge_betweenness(plain)
    crossing = found.codes[plain.edges.source] != found.codes[plain.edges.target]
    return 1.0 - float(np.exp(-_divergence(through[crossing], through[~crossing])))


def boundary_polarization(network: Network, sides: NDArray[Any]) -> float:
    """Guerra et al.'s P: are those who stand at the boundary drawn inwards or across?

    The inner members of a side have no tie to another side; a node with such a tie is at the boundary if it
    is also tied to an inner member of its own. P is the mean over boundary nodes of d_in / (d_in + d_across) − ½,
    where d_in counts ties to inner members and d_across ties to other sides. ½ is approached when the boundary
    hangs on to its own inner circle; 0: as many ties across as inwards; negative: the sides meet at the
    boundary rather than avoid each other.

    Args:
        network: directions are dropped; ties count by weight.
        sides: [n], any number of labels; nodes labelled None or NaN are left out with their edges.

    Returns:
        In (−½, ½); NaN without a boundary, or with fewer than two sides.

    Raises:
        MetricInputError: not one side a node.

    Source: Guerra, Meira, Cardie and Kleinberg 2013, as computed by Salloum, Chen and Kivelä 2022; more than two
    sides and weights are ours.
    """
    found = labelled(network, sides)
    plain, codes = found.network.undirected(), found.codes
    source, target, weight = plain.edges
    source, target = np.concatenate([source, target]), np.concatenate([target, source])
    weight, across = np.tile(weight, 2), codes[source] != codes[target]
    d_across = np.bincount(source[across], weights=weight[across], minlength=plain.n)
    inwards = ~across & (d_across[target] == 0)
    d_in = np.bincount(source[inwards], weights=weight[inwards], minlength=plain.n)
    at_boundary = (d_in > 0) & (d_across > 0)
    if not at_boundary.any():
        return float("nan")
    return float(np.mean(d_in[at_boundary] / (d_in + d_across)[at_boundary])) - 0.5


def _divergence(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Kullback–Leibler divergence, in nats, of the kernel density of x from that of y."""
    from scipy.integrate import trapezoid
    from scipy.stats import gaussian_kde

    if min(len(np.unique(x)), len(np.unique(y))) < 2:
        return float("nan")
    of_x, of_y = gaussian_kde(x), gaussian_kde(y)
    reach = 5.0 * np.sqrt(of_x.covariance[0, 0])
    grid = np.linspace(x.min() - reach, x.max() + reach, _GRID)
    log_x, log_y = of_x.logpdf(grid), of_y.logpdf(grid)
    return max(0.0, float(trapezoid(np.exp(log_x) * (log_x - log_y), grid)))
