"""The community searches, each behind the same call: network and seed in, memberships with their quality out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.networks.igraphs import as_igraph, igraph_chance
from metrics.networks.network import Network

Method = Literal["leiden", "louvain", "infomap", "surprise"]
METHODS: tuple[Method, ...] = get_args(Method)


class Run(NamedTuple):
    """One search: `labels` [n] ≥ 0, and `quality` in the method's own measure, larger is better."""

    labels: NDArray[np.int64]
    quality: float


def search(network: Network, method: Method, seed: int, restarts: int) -> list[Run]:
    """Search `restarts` times, each from fresh chance.

    - `leiden`: modularity until nothing improves (Traag, Waltman and van Eck 2019). igraph's own where the
      network is undirected, leidenalg where it is directed: igraph's has no directed modularity.
    - `louvain`: modularity, undirected only (Blondel et al. 2008).
    - `infomap`: the map equation, by direction and weight (Rosvall and Bergstrom 2008).
    - `surprise`: Leiden on asymptotic surprise (Traag, Aldecoa and Delvenne 2015), which finds communities that
      are too small for modularity; weights count as numbers of edges.

    Args:
        network: without isolated nodes and with at least one edge.
        method: one of `METHODS`, as `require_method` wants it.
        seed: of all restarts together.
        restarts: ≥ 1.
    """
    return _SEARCHES[method](network, seed, restarts)


def require_method(network: Network, method: Method) -> None:
    """Refuse a method that is unknown or cannot search this network.

    Raises:
        MetricInputError: an unknown method, or Louvain for a directed network.
    """
    if method not in _SEARCHES:
        raise MetricInputError(f"method: got {method!r}; expected one of {', '.join(METHODS)}")
    if method == "louvain" and network.directed:
        raise MetricInputError(
            "method: louvain knows no directions; use leiden or infomap, or drop them with network.undirected()"
        )


def _leiden(network: Network, seed: int, restarts: int) -> list[Run]:
    if network.directed:
        return _by_leidenalg("ModularityVertexPartition", network, seed, restarts)
    return _by_igraph(
        lambda graph: graph.community_leiden("modularity", weights="weight", n_iterations=-1),
        lambda found: float(found.quality),
        (network, seed, restarts),
    )


def _louvain(network: Network, seed: int, restarts: int) -> list[Run]:
    return _by_igraph(
        lambda graph: graph.community_multilevel(weights="weight"),
        lambda found: float(found.modularity),
        (network, seed, restarts),
    )


def _infomap(network: Network, seed: int, restarts: int) -> list[Run]:
    return _by_igraph(
        lambda graph: graph.community_infomap(edge_weights="weight", trials=1),
        lambda found: -float(found.codelength),
        (network, seed, restarts),
    )


def _surprise(network: Network, seed: int, restarts: int) -> list[Run]:
    return _by_leidenalg("SurpriseVertexPartition", network, seed, restarts)


def _by_igraph(
    once: Callable[[Any], Any], quality: Callable[[Any], float], asked: tuple[Network, int, int]
) -> list[Run]:
    network, seed, restarts = asked
    graph = as_igraph(network)
    with igraph_chance(seed):
        found = [once(graph) for _ in range(restarts)]
    return [Run(np.array(run.membership, dtype=np.int64), quality(run)) for run in found]


def _by_leidenalg(objective: str, network: Network, seed: int, restarts: int) -> list[Run]:
    import leidenalg

    graph, seeds = as_igraph(network), random.Random(seed)
    runs = []
    for _ in range(restarts):
        found = leidenalg.find_partition(
            graph,
            getattr(leidenalg, objective),
            weights="weight",
            n_iterations=-1,
            seed=seeds.getrandbits(31),
        )
        runs.append(Run(np.array(found.membership, dtype=np.int64), float(found.quality())))
    return runs


_SEARCHES: dict[Method, Callable[[Network, int, int], list[Run]]] = {
    "leiden": _leiden,
    "louvain": _louvain,
    "infomap": _infomap,
    "surprise": _surprise,
}
