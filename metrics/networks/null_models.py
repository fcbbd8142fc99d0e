"""Is it more than chance? The same number on networks or labels with nothing left but chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.networks.igraphs import as_igraph, igraph_chance
from metrics.networks.labels import require_one_a_node
from metrics.networks.network import Network

SWAPS_PER_EDGE = 10
"""Swaps of two edges' ends tried for each edge: ours, the usual rule of thumb."""


LabelMeasure = Callable[[Network, NDArray[Any]], float]
WiringMeasure = Callable[[Network], float]


class NullTest(NamedTuple):
    """A number beside what chance gives.

    Args:
        observed: the number itself.
        values: [draws] the same under the null model; NaN where it has no value.
    """

    observed: float
    values: NDArray[np.float64]

    @property
    def valued(self) -> int:
        """Draws that have a value; mean and p-values are of these only."""
        return len(self._valid)

    @property
    def mean(self) -> float:
        """What chance gives on average; NaN without a draw that has a value."""
        return float(self._valid.mean()) if len(self._valid) else float("nan")

    @property
    def std(self) -> float:
        """How much chance varies (n − 1); NaN with fewer than two draws that have a value."""
        return float(self._valid.std(ddof=1)) if len(self._valid) > 1 else float("nan")

    @property
    def p_greater(self) -> float:
        """P(chance ≥ observed), as (1 + draws at least as large) / (1 + draws); NaN without a value."""
        return self._p(self._valid >= self.observed - _slack(self.observed))

    @property
    def p_less(self) -> float:
        """P(chance ≤ observed), in the same way."""
        return self._p(self._valid <= self.observed + _slack(self.observed))

    @property
    def p_two_sided(self) -> float:
        """Twice the smaller of both, at most 1."""
        return min(1.0, 2.0 * min(self.p_greater, self.p_less)) if self.p_less == self.p_less else self.p_less

    @property
    def _valid(self) -> NDArray[np.float64]:
        return self.values[np.isfinite(self.values)]

    def _p(self, extreme: NDArray[np.bool_]) -> float:
        if not (len(self._valid) and np.isfinite(self.observed)):
            return float("nan")
        return (1.0 + float(extreme.sum())) / (1.0 + len(self._valid))


def permutation_test(
    network: Network, labels: NDArray[Any], measure: LabelMeasure, *, draws: int, rng: np.random.Generator
) -> NullTest:
    """The network as it is, labels dealt out anew among the nodes that have one.

    It asks whether labels matter at all, given who is tied to whom. Labels (or numbers) of nodes without
    one stay missing.

    Args:
        network: any.
        labels: [n].
        measure: gives the number for a network and labels.
        draws: at least 1; the least p-value that can come out is 1/(1 + draws).
        rng: the only source of chance.

    Raises:
        MetricInputError: fewer than 1 draw, or not one label a node.

    Source: p-values of Monte Carlo tests: Davison and Hinkley 1997, §4.2 (never 0).
    """
    return permutation_tests(network, labels, {"": measure}, draws=draws, rng=rng)[""]


def permutation_tests(
    network: Network,
    labels: NDArray[Any],
    measures: Mapping[str, LabelMeasure],
    *,
    draws: int,
    rng: np.random.Generator,
    drawn: Callable[[], None] = lambda: None,
) -> dict[str, NullTest]:
    """`permutation_test` of several measures on the same draws; `drawn` is called after each.

    Raises:
        MetricInputError: as `permutation_test`.
    """
    _require_draws(draws)
    require_one_a_node("labels", labels, network)
    known = np.array([value is not None and value == value for value in labels], dtype=bool)

    def draw() -> dict[str, float]:
        dealt = labels.copy()
        dealt[known] = rng.permutation(labels[known])
        return {name: measure(network, dealt) for name, measure in measures.items()}

    observed = {name: measure(network, labels) for name, measure in measures.items()}
    return _tests(observed, draw, draws, drawn)


def configuration_test(
    network: Network, measure: WiringMeasure, *, draws: int, rng: np.random.Generator
) -> NullTest:
    """Everybody keeps their number of ties; whom they are tied to is left to chance.

    Args:
        network: any; see `rewired`.
        measure: gives the number for a network; bind labels to it where it needs them.
        draws: at least 1.
        rng: the only source of chance.

    Raises:
        MetricInputError: fewer than 1 draw.

    Source: Newman, Strogatz and Watts 2001; p-values as `permutation_test`.
    """
    return configuration_tests(network, {"": measure}, draws=draws, rng=rng)[""]


def configuration_tests(
    network: Network,
    measures: Mapping[str, WiringMeasure],
    *,
    draws: int,
    rng: np.random.Generator,
    drawn: Callable[[], None] = lambda: None,
) -> dict[str, NullTest]:
    """`configuration_test` of several measures on the same draws; `drawn` is called after each.

    Raises:
        MetricInputError: fewer than 1 draw.
    """
    _require_draws(draws)

    def draw() -> dict[str, float]:
        other = rewired(network, rng)
        return {name: measure(other) for name, measure in measures.items()}

    return _tests({name: measure(network) for name, measure in measures.items()}, draw, draws, drawn)


def rewired(network: Network, rng: np.random.Generator) -> Network:
    """A random simple network with the same degrees (directed: in- and out-degrees) and the same set of weights.

    Pairs of edges swap their ends again and again, `SWAPS_PER_EDGE` tries an edge; swaps that would make a
    loop or a double edge are not done. Weights are dealt out anew, so degrees are kept and strengths only
    on average.

    Source: Fosdick, Larremore, Nishimura and Ugander 2018 (stub-labelled simple graphs); igraph's `rewire`.
    """
    graph = as_igraph(network)
    with igraph_chance(int(rng.integers(2**63))):
        graph.rewire(n=SWAPS_PER_EDGE * network.m)
    ends = np.array(graph.get_edgelist(), dtype=np.intp).reshape(-1, 2)
    weight = rng.permutation(network.edges.weight)
    return Network.from_edges(ends[:, 0], ends[:, 1], network.n, weight, directed=network.directed)


def _tests(
    observed: dict[str, float], draw: Callable[[], dict[str, float]], draws: int, drawn: Callable[[], None]
) -> dict[str, NullTest]:
    values = {name: np.empty(draws) for name in observed}
    for i in range(draws):
        for name, value in draw().items():
            values[name][i] = value
        drawn()
    return {name: NullTest(observed[name], values[name]) for name in observed}


def _require_draws(draws: int) -> None:
    if draws < 1:
        raise MetricInputError(f"draws: got {draws}; expected at least 1")


def _slack(value: float) -> float:
    """Rounding that does not tell two equal numbers apart."""
    return 1e-12 * max(1.0, abs(value))
