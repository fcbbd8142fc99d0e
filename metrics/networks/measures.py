"""What can be measured on any network with labels, by name: the table behind `plures graph`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.networks.boundary import betweenness_controversy, boundary_polarization
from metrics.networks.controversy import random_walk_controversy
from metrics.networks.exposure import cross_side_following, echo_chamber
from metrics.networks.homophily import ei_index
from metrics.networks.mixing import assortativity, modularity, numeric_assortativity
from metrics.networks.network import Network

Needs = Literal["side", "two sides", "score"]


@dataclass(frozen=True, slots=True)
class NetworkMeasure:
    """One number of a network and labels.

    Args:
        id: as in JSON.
        label: for tables.
        needs: `side`, any labels; `two sides`, exactly two; `score`, a number of each node.
        low: least possible value.
        high: greatest possible value.
        definition: how it is counted and read, in one sentence.
        source: where the definition comes from.
        of: the function.
        quick: whether it may be taken of every draw of a null model.
    """

    id: str
    label: str
    needs: Needs
    low: float
    high: float
    definition: str
    source: str
    of: Callable[[Network, NDArray[Any]], float]
    quick: bool = True


NETWORK_MEASURES: tuple[NetworkMeasure, ...] = (
    NetworkMeasure(
        "side_modularity", "Modularity of the sides", "side", -0.5, 1.0,
        "weight within sides beyond what degrees alone put there (directed: out- and in-degrees); 0 is chance",
        "Newman and Girvan 2004; Leicht and Newman 2008", modularity,
    ),
    NetworkMeasure(
        "side_assortativity", "Assortativity of the sides", "side", -1.0, 1.0,
        "the same over the largest that these sides could have; 1: no tie crosses sides, 0: ties ignore them",
        "Newman 2003", assortativity,
    ),
    NetworkMeasure(
        "ei_index", "E–I index", "side", -1.0, 1.0,
        "ties across minus ties within sides, over all ties; −1: none crosses; knows nothing of chance",
        "Krackhardt and Stern 1988", ei_index,
    ),
    NetworkMeasure(
        "cross_side_following", "Cross-side exposure", "side", 0.0, 1.0,
        "share of the other side among those whom a node points to, averaged over nodes that point to anyone",
        "Bakshy et al. 2015; the mean is ours", cross_side_following,
    ),
    NetworkMeasure(
        "random_walk_controversy", "Random-walk controversy", "two sides", -1.0, 1.0,
        "chance that walks which end at a side's hubs began on it, beyond the other side's; 1: walks never cross",
        "Garimella et al. 2018", random_walk_controversy,
    ),
    NetworkMeasure(
        "betweenness_controversy", "Betweenness controversy", "two sides", 0.0, 1.0,
        "how unlike the shortest-path traffic of crossing and other edges is; 1: few crossing edges carry it all",
        "Garimella et al. 2018", betweenness_controversy, quick=False,
    ),
    NetworkMeasure(
        "boundary_polarization", "Boundary polarization", "two sides", -0.5, 0.5,
        "share of ties inwards rather than across of nodes at the boundary, minus ½; negative: sides meet there",
        "Guerra et al. 2013", boundary_polarization,
    ),
    NetworkMeasure(
        "score_assortativity", "Assortativity of the score", "score", -1.0, 1.0,
        "correlation of the score between both ends of ties; 1: like meets like, 0: no relation",
        "Newman 2003", numeric_assortativity,
    ),
    NetworkMeasure(
        "echo_chamber", "Echo chamber", "score", -1.0, 1.0,
        "correlation of a node's score with the mean score of those it points to; 1: each hears itself",
        "Cinelli et al. 2021; the correlation is ours", echo_chamber,
    ),
)  # fmt: skip
"""In the order of tables."""


class Labels(NamedTuple):
    """What is known of the nodes.

    Args:
        side: [n] labels, None where unknown; None without any.
        score: [n] numbers, NaN where unknown; None without any.
    """

    side: NDArray[Any] | None = None
    score: NDArray[np.float64] | None = None

    @property
    def two_sides(self) -> NDArray[Any] | None:
        """The two most frequent sides, all others None; None where there are fewer than two."""
        if self.side is None:
            return None
        sides = pd.Series(self.side, dtype=object)
        counts = sides.value_counts()
        return sides.where(sides.isin(counts.index[:2])).to_numpy() if len(counts) >= 2 else None

    def of(self, measure: NetworkMeasure) -> NDArray[Any] | None:
        """The labels that a measure takes, or None where they are not known."""
        match measure.needs:
            case "side":
                return self.side
            case "two sides":
                return self.two_sides
            case "score":
                return self.score
