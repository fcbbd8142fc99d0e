"""Networks for tests: known ones, random ones, and the same in networkx."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import strategies as st

from metrics.networks import Network


class Known(NamedTuple):
    """A network with a side for each node, and what is known of it."""

    network: Network
    side: npt.NDArray[Any]
    expected: dict[str, Any]


def make(
    n: int, edges: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, directed: bool = False
) -> Network:
    """Each undirected edge given once."""
    ends = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    return Network.from_edges(ends[:, 0], ends[:, 1], n, weights, directed=directed)


def from_networkx(graph: nx.Graph) -> Network:
    """Unweighted, in node order."""
    numbered = nx.convert_node_labels_to_integers(graph)
    return make(len(graph), list(numbered.edges()), directed=graph.is_directed())


def to_networkx(network: Network) -> nx.Graph:
    """The same graph, weights kept."""
    kind = nx.DiGraph if network.directed else nx.Graph
    return nx.from_scipy_sparse_array(network.weights, create_using=kind)


def groups(labels: Iterable[object]) -> list[set[int]]:
    """Labels as the list of sets that networkx wants."""
    frame = pd.Series(list(labels))
    return [set(frame.index[frame == label]) for label in frame.unique()]


def karate() -> Known:
    """Zachary 1977, unweighted, with the two clubs that came of it."""
    graph = nx.karate_club_graph()
    club = np.array([graph.nodes[node]["club"] for node in graph], dtype=object)
    # networkx on the same graph, which ../shared/data/graphs/EXPECTED.json repeats
    expected = {"n": 34, "m": 78, "q_label": 0.3582, "assort": 0.7175, "louvain_q": 0.4188}
    return Known(from_networkx(graph), club, expected)


def real(folder: Path, name: str) -> Known:
    """`polblogs` or `congress117` of the shared data."""
    expected = json.loads((folder / "graphs" / "EXPECTED.json").read_text())[name]
    edges = pd.read_csv(folder / "graphs" / name / "edges.csv")[["src", "dst"]].to_numpy()
    side = pd.read_csv(folder / "graphs" / name / "labels.csv").set_index("node")["side"].sort_index()
    return Known(make(len(side), edges), side.to_numpy(dtype=object), expected)


def renumbered(network: Network, order: npt.NDArray[np.intp]) -> Network:
    """The same network with other node numbers: `order` lists the old numbers."""
    return network.among(order)


def scaled(network: Network, factor: float) -> Network:
    """All weights times `factor`."""
    return Network(network.weights * factor, network.directed)


@st.composite
def networks(
    draw: st.DrawFn, *, directed: bool = False, weighted: bool = True, min_nodes: int = 2, max_nodes: int = 10
) -> Network:
    """Few nodes with whole weights, at least one edge."""
    n = draw(st.integers(min_nodes, max_nodes))
    pairs = [(a, b) for a in range(n) for b in range(n) if a < b or (directed and a != b)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    whole = st.integers(1, 9) if weighted else st.just(1)
    weights = draw(st.lists(whole, min_size=len(chosen), max_size=len(chosen)))
    return make(n, chosen, weights, directed=directed)


def draw_sides(network: Network, seed: int, kinds: int = 2) -> npt.NDArray[Any]:
    """A random side for each node."""
    return (
        np.random.default_rng(seed).choice(np.array(["a", "b", "c", "d"])[:kinds], network.n).astype(object)
    )
