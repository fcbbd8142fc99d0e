"""igraph: a network in its form, and its one generator of a process borrowed for seeded work."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from metrics.networks.network import Network

_GENERATOR = threading.Lock()


def as_igraph(network: Network) -> Any:
    """The same graph as `igraph.Graph`, weights under the edge attribute `weight`, edges in our order."""
    import igraph

    source, target, weight = network.edges
    pairs = zip(source.tolist(), target.tolist(), strict=True)  # three times as fast as an array
    graph = igraph.Graph(n=network.n, edges=pairs, directed=network.directed)
    graph.es["weight"] = weight.tolist()
    return graph


@contextmanager
def igraph_chance(seed: int) -> Iterator[None]:
    """Inside, all of igraph's chance comes from `seed`; other threads that ask for the same wait."""
    import igraph

    with _GENERATOR:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            yield
        finally:
            igraph.set_random_number_generator(random)  # igraph's own default
