"""Labels of nodes, some of them perhaps unknown, made ready for counting."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.networks.network import Network


class Labelled(NamedTuple):
    """The nodes whose label is known, with the edges among them.

    Args:
        network: those nodes, renumbered in their order.
        codes: [n known] 0, 1, … for the names.
        names: the labels in order of first appearance.
    """

    network: Network
    codes: NDArray[np.intp]
    names: list[Any]


def labelled(network: Network, labels: NDArray[Any]) -> Labelled:
    """Leave out nodes labelled None or NaN, with their edges, and number the labels.

    Raises:
        MetricInputError: not one label a node.
    """
    require_one_a_node("labels", labels, network)
    codes, names = pd.factorize(np.asarray(labels), sort=False)
    known = codes >= 0
    if known.all():
        return Labelled(network, codes, list(names))
    return Labelled(network.among(known), codes[known], list(names))


def two_sides(network: Network, sides: NDArray[Any]) -> Labelled | None:
    """`labelled`, for measures that compare exactly two sides; None with fewer than two.

    Raises:
        MetricInputError: more than two sides, or not one a node.
    """
    found = labelled(network, sides)
    if len(found.names) > 2:
        raise MetricInputError(
            f"sides: got {len(found.names)} ({', '.join(map(str, found.names[:5]))}); expected two. Set the labels "
            "of all others to None."
        )
    return found if len(found.names) == 2 else None


def require_one_a_node(what: str, values: NDArray[Any], network: Network) -> None:
    """Refuse values that are not one a node.

    Raises:
        MetricInputError: too few or too many.
    """
    if len(values) != network.n:
        raise MetricInputError(f"{what}: got {len(values)} for {network.n} nodes; expected one a node")
