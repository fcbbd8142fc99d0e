"""Random-walk controversy: do people hear mostly of the well-connected of their own side?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError, MetricsError
from metrics.networks.labels import two_sides
from metrics.networks.network import Network

HUBS = 10
_TOLERANCE = 1e-10


def random_walk_controversy(network: Network, sides: NDArray[Any], *, hubs: int = HUBS) -> float:
    """Garimella et al.'s RWC, exact: P(XX)·P(YY) − P(XY)·P(YX).

    A walk starts at a random member of a random side (each with probability ½), steps along edges by weight
    and ends where it first arrives at a hub, that is, at one of the best-connected members of either side. P(AB)
    is the probability that a walk that ended at side B's hubs had started in A. Members from whom no hub can be
    reached, such as those without ties, start no walk. 1: nobody gets to the other side's hubs; 0: where a walk
    ends tells nothing about where it began; negative (down to −1): walks end on the other side.

    The absorption probabilities are solved for, where the paper draws walks, so there is no sampling error.

    Args:
        network: weighted; directions are dropped (weights of both are added).
        sides: [n] with two different labels; nodes labelled None or NaN are left out with their edges.
        hubs: of each side, by strength; ties with the last are hubs too, so that node order plays no part.
            At most a tenth of its members with ties (rounded up): in a small graph ten would be everybody.

    Returns:
        In [−1, 1]; NaN with fewer than two sides, without edges, where all linked members of a side are hubs
        (nobody stands out), or where no walk ends on one of the sides.

    Raises:
        MetricInputError: more than two sides, not one side a node, or hubs below 1.
        MetricsError: the linear solver did not come to an end.

    Source: Garimella, De Francisci Morales, Gionis and Mathioudakis 2018, §5 (ten hubs: Salloum, Chen and
    Kivelä 2022), who take connected graphs; cap, ties and other components ours.
    """
    if hubs < 1:
        raise MetricInputError(f"hubs: got {hubs}; expected at least 1 of each side")
    found = two_sides(network, sides)
    if found is None:
        return float("nan")
    walked, codes = found.network.undirected(), found.codes
    is_hub = np.zeros(walked.n, dtype=bool)
    for side in (0, 1):
        members = np.flatnonzero((codes == side) & walked.linked)
        if not len(members):
            return float("nan")
        chosen = _hubs(walked.out_strength[members], min(hubs, math.ceil(len(members) / 10)))
        if chosen.all():
            return float("nan")
        is_hub[members[chosen]] = True
    first_steps = walked.weights @ _absorption(walked, is_hub, codes)
    ends = first_steps / np.maximum(walked.out_strength, np.finfo(float).tiny)[:, None]
    ending = ends.sum(axis=1) > 0.0
    starts = np.array([ends[ending & (codes == side)].mean(axis=0) for side in (0, 1)])  # [start, end side]
    arrivals = starts.sum(axis=0)
    if (arrivals <= 0.0).any():
        return float("nan")
    p = starts / arrivals
    return float(p[0, 0] * p[1, 1] - p[0, 1] * p[1, 0])


def _hubs(strength: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Which are at least as strong as the `count`-th strongest; `count` ≤ n."""
    return np.asarray(strength >= np.sort(strength)[-count])


def _absorption(network: Network, is_hub: NDArray[np.bool_], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """[n, 2] probability that a walk at each node ends at a hub of each side; 0 where it never ends.

    With D the strengths and W the weights among the others, the probabilities h of one side's hubs solve the
    symmetric positive definite system (D − W)h = (weight to those hubs).
    """
    from scipy.sparse import diags
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import LinearOperator, cg

    component = connected_components(network.weights, directed=False)[1]
    ends = np.zeros((network.n, 2))
    ends[is_hub, codes[is_hub]] = 1.0
    free = np.flatnonzero(~is_hub & np.isin(component, component[is_hub]))
    if not len(free):
        return ends
    strength, weights = network.out_strength[free], network.weights[free]
    system = diags(strength) - weights[:, free]
    scaled = LinearOperator(system.shape, matvec=lambda x: x / strength)
    reached = weights @ ends[:, 1]
    solution, failed = cg(system, reached, rtol=_TOLERANCE, atol=0.0, maxiter=100_000, M=scaled)
    if failed:
        raise MetricsError(f"random walks on {network.n} nodes: no solution within {failed} iterations")
    ends[free, 1] = np.clip(solution, 0.0, 1.0)
    ends[free, 0] = 1.0 - ends[free, 1]
    return ends
