"""Everything that applies to a network, with what chance would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from metrics.networks.diversity import hill_number
from metrics.networks.homophily import coleman_homophily, same_side_pairs, within_community_homophily
from metrics.networks.measures import NETWORK_MEASURES, Labels, Needs, NetworkMeasure
from metrics.networks.network import Network
from metrics.networks.null_models import (
    LabelMeasure,
    NullTest,
    WiringMeasure,
    configuration_tests,
    permutation_tests,
)
from metrics.networks.partitions import RESTARTS, Restarts, find_partition, find_partitions
from metrics.networks.searches import Method

BETWEENNESS_LIMIT = 300_000_000
"""Greatest n · m for which exact betweenness is waited for: some ten seconds."""

LEIDEN_MODULARITY = "leiden_modularity"
_METHODS: tuple[Method, ...] = ("leiden", "louvain", "infomap")

Progress = Callable[[str, int, int], None]
"""Is told a task, how many of its units are done, and how many there are."""


class Row(NamedTuple):
    """One number of a summary.

    Args:
        id: as in JSON.
        group: `network`, `communities` or `sides and scores`.
        label: for tables.
        value: NaN where it has none.
        definition: how it is counted.
        source: where that comes from.
        labels_at_random: the same with labels dealt out anew, where that was asked for and makes sense.
        wiring_at_random: the same on networks of the same degrees, likewise.
    """

    id: str
    group: str
    label: str
    value: float
    definition: str
    source: str
    labels_at_random: NullTest | None = None
    wiring_at_random: NullTest | None = None


def summarise_network(
    network: Network,
    labels: Labels,
    *,
    rng: np.random.Generator,
    draws: int = 0,
    restarts: int = RESTARTS,
    progress: Progress = lambda _task, _done, _total: None,
) -> list[Row]:
    """Size, communities and, where labels are known, homophily and controversy.

    Betweenness controversy is left out where n · m is above `BETWEENNESS_LIMIT`, Louvain where the network is
    directed. Measures of two sides take the two most frequent ones.

    Args:
        network: any.
        labels: of its nodes.
        rng: the only source of chance.
        draws: of each null model; 0 for none. Permutations of sides, of the two sides and of scores, and
            one set of rewired networks.
        restarts: searches of each method.
        progress: told of the tasks `community searches` and `null models`, with how many units are done
            and how many there are.

    Raises:
        MetricInputError: labels that do not fit the network.
    """
    fitting = [m for m in NETWORK_MEASURES if labels.of(m) is not None]
    if network.n * network.m > BETWEENNESS_LIMIT:
        fitting = [m for m in fitting if m.quick]
    rows = [*_size_rows(network), *_community_rows(network, labels, rng, restarts, progress)]
    for measure in fitting:
        value = measure.of(network, labels.of(measure))  # type: ignore[arg-type]  # not None: fitting
        rows.append(Row(measure.id, _LABELS, measure.label, value, measure.definition, measure.source))
    if labels.side is not None:
        rows += _coleman_rows(network, labels.side)
    if draws:
        by_labels, by_wiring = _null_tests(network, labels, fitting, rng, draws, progress)
        rows = [
            row._replace(labels_at_random=by_labels.get(row.id), wiring_at_random=by_wiring.get(row.id))
            for row in rows
        ]
    return rows


_SIZE, _COMMUNITIES, _LABELS = "network", "communities", "sides and scores"


def _size_rows(network: Network) -> list[Row]:
    n, m = network.n, network.m
    pairs = n * (n - 1) if network.directed else n * (n - 1) / 2
    degree = np.diff(network.weights.indptr)
    values = [
        ("nodes", "Nodes", n, "nodes, those without ties included"),
        ("edges", "Edges", m, "distinct ties; directed ones by direction"),
        ("mean_degree", "Mean degree", degree.mean() if n else np.nan, "ties of a node (directed: sent)"),
        ("density", "Density", m / pairs if pairs else np.nan, "ties over possible ties"),
        (
            "largest_component_share", "Nodes in the largest component",
            len(network.largest_component()) / n if n else np.nan, "share of nodes, directions aside",
        ),
    ]  # fmt: skip
    if network.directed:
        plain = network.unweighted().weights
        mutual = float(plain.multiply(plain.T).sum()) / m if m else np.nan
        values.append(("reciprocity", "Reciprocity", mutual, "share of ties that are returned"))
    return [Row(key, _SIZE, label, float(value), text, "") for key, label, value, text in values]


def _community_rows(
    network: Network,
    labels: Labels,
    rng: np.random.Generator,
    restarts: int,
    progress: Progress,
) -> list[Row]:
    rows = []
    able = [method for method in _METHODS if not (method == "louvain" and network.directed)]
    for done, method in enumerate(able):
        progress("community searches", done, len(able))
        found = find_partitions(network, rng=rng, method=method, restarts=restarts)
        rows += [
            Row(f"{method}_{key}", _COMMUNITIES, f"{method.capitalize()}: {label}", value, text, source)
            for key, label, value, text, source in _of_communities(found, labels)
        ]
    progress("community searches", len(able), len(able))
    if labels.side is not None:
        rows.append(
            Row(
                "same_side_pairs", _COMMUNITIES, "Same-side pairs among all", same_side_pairs(labels.side),
                "what within-community homophily is where communities ignore sides", "Simpson 1949",
            )
        )  # fmt: skip
    return rows


def _of_communities(found: Restarts, labels: Labels) -> list[tuple[str, str, float, str, str]]:
    best, sizes = found.best, found.best.sizes
    rows = [
        (
            "modularity", "modularity", best.modularity,
            "Newman's Q of the best of the searches", "Newman and Girvan 2004",
        ),
        ("communities", "communities", hill_number(sizes, 0.0), "how many, whatever their size", "Hill 1973, q = 0"),
        (
            "effective", "effective communities", hill_number(sizes, 1.0),
            "exp(Shannon entropy of their sizes): as many equal ones would be as diverse", "Hill 1973, q = 1",
        ),
        (
            "effective_simpson", "effective, inverse Simpson", hill_number(sizes, 2.0),
            "1 / Σ share²: the same, counting large ones more", "Hill 1973, q = 2",
        ),
        (
            "stability_nmi", "stability, NMI", found.stability.nmi,
            "mean normalised mutual information of two searches; 1: all the same", "Danon et al. 2005",
        ),
        (
            "stability_ari", "stability, ARI", found.stability.ari,
            "mean adjusted Rand index of two searches; 1: all the same", "Hubert and Arabie 1985",
        ),
    ]  # fmt: skip
    if labels.side is not None:
        homophily = within_community_homophily(best.labels, labels.side)
        rows.append(
            (
                "side_homophily", "same-side pairs within", homophily,
                "share of same-side pairs among pairs in a community, averaged by community size",
                "arXiv 2606.02437; weighting ours",
            )
        )  # fmt: skip
    return rows


def _coleman_rows(network: Network, side: NDArray[Any]) -> list[Row]:
    return [
        Row(
            f"coleman_homophily[{name}]", _LABELS, f"Coleman homophily, {name}", float(value),
            "preference of this side for itself beyond its share of the others; 1: all ties inside, 0: chance",
            "Coleman 1958; Bojanowski and Corten 2014",
        )
        for name, value in coleman_homophily(network, side).items()
    ]  # fmt: skip


def _null_tests(
    network: Network,
    labels: Labels,
    fitting: Sequence[NetworkMeasure],
    rng: np.random.Generator,
    draws: int,
    progress: Progress,
) -> tuple[dict[str, NullTest], dict[str, NullTest]]:
    """By labels dealt anew, and by rewiring, which also tests what modularity one search finds."""
    by_labels: dict[str, NullTest] = {}
    wiring: dict[str, WiringMeasure] = {LEIDEN_MODULARITY: partial(_greatest_modularity, rng=rng)}
    kinds = [[m for m in fitting if m.needs == needs and m.quick] for needs in get_args(Needs)]
    kinds = [measures for measures in kinds if measures]
    done, total = count(1), draws * (len(kinds) + 1)

    def drawn() -> None:
        progress("null models", next(done), total)

    for measures in kinds:
        values = labels.of(measures[0])
        assert values is not None  # or it were not fitting
        taken: dict[str, LabelMeasure] = {m.id: m.of for m in measures}
        by_labels |= permutation_tests(network, values, taken, draws=draws, rng=rng, drawn=drawn)
        wiring |= {m.id: partial(_on_wiring, measure=m.of, labels=values) for m in measures}
    return by_labels, configuration_tests(network, wiring, draws=draws, rng=rng, drawn=drawn)


def _on_wiring(network: Network, measure: LabelMeasure, labels: NDArray[Any]) -> float:
    return measure(network, labels)


def _greatest_modularity(network: Network, rng: np.random.Generator) -> float:
    return find_partition(network, rng=rng, restarts=1).modularity
