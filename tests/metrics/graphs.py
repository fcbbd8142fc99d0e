"""Graphs for tests: known ones, random ones, and the same in networkx."""

from __future__ import annotations

from collections.abc import Iterable

import networkx as nx
import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import strategies as st
from scipy.sparse import coo_matrix, csr_matrix


def symmetric(n: int, edges: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> csr_matrix:
    """The adjacency matrix of an undirected graph, each edge given once."""
    ends = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    values = np.ones(len(ends)) if weights is None else np.asarray(weights, dtype=np.float64)
    rows, columns = np.concatenate([ends, ends[:, ::-1]]).T
    return csr_matrix(coo_matrix((np.tile(values, 2), (rows, columns)), shape=(n, n)))


def from_networkx(graph: nx.Graph) -> csr_matrix:
    """Unweighted adjacency in node order."""
    return symmetric(len(graph), list(nx.convert_node_labels_to_integers(graph).edges()))


def to_networkx(weights: csr_matrix) -> nx.Graph:
    """The same graph, weights kept."""
    return nx.from_scipy_sparse_array(weights)


def groups(labels: Iterable[object]) -> list[set[int]]:
    """Labels as the list of sets that networkx wants."""
    frame = pd.Series(list(labels))
    return [set(frame.index[frame == label]) for label in frame.unique()]


@st.composite
def weighted_graphs(draw: st.DrawFn) -> csr_matrix:
    """Up to ten nodes with integer weights, at least one edge."""
    n = draw(st.integers(2, 10))
    pairs = [(a, b) for a in range(n) for b in range(a + 1, n)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))
    weights = draw(st.lists(st.integers(1, 9), min_size=len(chosen), max_size=len(chosen)))
    return symmetric(n, chosen, weights)
