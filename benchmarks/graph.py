"""Networks of 100,000 and 1,000,000 edges: modularity and communities against networkx.

Both measure the same planted-partition network, built before the clock starts: ours as a `Network`, networkx's as a
`Graph`. Modularity is that of the planted sides; communities are one search each, networkx's Louvain with
its defaults, ours Leiden until nothing improves. networkx's Louvain is run at 100,000 edges only: at a million it
takes minutes.

    python -m benchmarks.graph [--quick] [--json]
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Case, Figure, Goal, Results, main, ratios, seconds, take_turns
from metrics.networks import Network, find_partition, modularity
from metrics.networks.searches import Method

MODULARITY_GOAL, COMMUNITIES_GOAL = 200.0, 20.0
ACROSS = 0.2
"""Share of edges that are thrown across the planted groups."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One network: `edges` ties among `nodes` nodes in `groups` planted groups of equal size.

    Args:
        louvain: whether networkx searches for communities too.
    """

    nodes: int
    edges: int
    groups: int
    louvain: bool


FULL = (Setting(10_000, 100_000, 100, louvain=True), Setting(100_000, 1_000_000, 1_000, louvain=False))
QUICK = (Setting(1_000, 10_000, 20, louvain=True),)


class Planted:
    """One network in both forms, with its planted groups."""

    def __init__(self, setting: Setting) -> None:
        self.groups = np.arange(setting.nodes) % setting.groups
        ends = _planted_edges(setting, np.random.default_rng(0))
        self.ours = Network.from_edges(ends[:, 0], ends[:, 1], setting.nodes)
        self.theirs = nx.Graph()
        self.theirs.add_nodes_from(range(setting.nodes))
        self.theirs.add_edges_from(ends.tolist())
        assert self.ours.m == self.theirs.number_of_edges() == setting.edges
        self.sets = [set(np.flatnonzero(self.groups == group).tolist()) for group in range(setting.groups)]
        self.found: dict[str, float] = {}  # modularity of what each search found


def _planted_edges(setting: Setting, rng: np.random.Generator) -> NDArray[np.int64]:
    """[edges, 2] distinct pairs of different nodes."""
    wanted = 2 * setting.edges  # enough to lose loops and repeats
    one = rng.integers(setting.nodes, size=wanted)
    size = setting.nodes // setting.groups
    same_group = rng.integers(size, size=wanted) * setting.groups + one % setting.groups
    anyone = rng.integers(setting.nodes, size=wanted)
    other = np.where(rng.random(wanted) < ACROSS, anyone, same_group)
    pairs = np.sort(np.column_stack([one, other])[one != other], axis=1)
    return rng.permutation(np.unique(pairs, axis=0))[: setting.edges]


def measure(quick: bool) -> Results:
    """Time all cases."""
    results = Results()
    find_partition(Network.from_edges([0], [1], 2), rng=np.random.default_rng(0))  # imports, before the clock
    for setting in QUICK if quick else FULL:
        planted = Planted(setting)
        _measure_modularity(setting, planted, results)
        _measure_communities(setting, planted, results)
    return results


def _measure_modularity(setting: Setting, planted: Planted, results: Results) -> None:
    values: dict[str, float] = {}

    def ours() -> None:
        values["ours"] = modularity(planted.ours, planted.groups)

    def theirs() -> None:
        values["networkx"] = nx.community.modularity(planted.theirs, planted.sets)

    times = take_turns({"ours": lambda: seconds(ours), "networkx": lambda: seconds(theirs)}, repeats=5)
    faster = ratios(times["networkx"], times["ours"])
    figures = {f"{name}, ms": Figure.of([1e3 * t for t in spent]) for name, spent in times.items()}
    figures["networkx / ours"] = faster
    difference = abs(values["ours"] - values["networkx"])
    figures["difference of the values"] = Figure.of([difference])
    results.cases.append(Case("modularity of the planted groups", asdict(setting), figures))
    results.goals += [
        Goal(
            f"modularity, times faster than networkx, {setting.edges:,} edges", faster.median, MODULARITY_GOAL
        ),
        Goal(
            f"modularity, difference to networkx, {setting.edges:,} edges", difference, 1e-9, at_least=False
        ),
    ]


def _measure_communities(setting: Setting, planted: Planted, results: Results) -> None:
    def search(method: Method) -> float:
        rng = np.random.default_rng(1)

        def work() -> None:
            found = find_partition(planted.ours, rng=rng, method=method, restarts=1)
            planted.found[method] = found.modularity

        return seconds(work)

    def louvain() -> float:
        sets: list[set[int]] = []
        spent = seconds(lambda: sets.extend(nx.community.louvain_communities(planted.theirs, seed=1)))
        labels = np.empty(setting.nodes, dtype=np.int64)
        for number, members in enumerate(sets):
            labels[list(members)] = number
        planted.found["networkx Louvain"] = modularity(planted.ours, labels)
        return spent

    searches = {"leiden": lambda: search("leiden"), "louvain": lambda: search("louvain")}
    if setting.louvain:
        searches["networkx Louvain"] = louvain
    times = take_turns(searches)
    figures = {f"{name}, s": Figure.of(spent) for name, spent in times.items()}
    figures |= {f"{name}, Q": Figure.of([planted.found[name]]) for name in times}
    planted_q = modularity(planted.ours, planted.groups)
    figures["planted groups, Q"] = Figure.of([planted_q])
    if setting.louvain:
        faster = ratios(times["networkx Louvain"], times["leiden"])
        figures["networkx Louvain / leiden, time"] = faster
        results.goals += [
            Goal(
                f"communities, times faster than networkx Louvain, {setting.edges:,} edges",
                faster.median,
                COMMUNITIES_GOAL,
            ),
            Goal(
                f"communities, Q beyond that of networkx Louvain, {setting.edges:,} edges",
                planted.found["leiden"] - planted.found["networkx Louvain"],
                -1e-9,
            ),
        ]
    results.cases.append(Case("communities, one search", asdict(setting), figures))
    results.goals.append(
        Goal(
            f"communities, Q beyond that of the planted groups, {setting.edges:,} edges",
            planted.found["leiden"] - planted_q,
            -1e-9,
        )
    )


if __name__ == "__main__":
    sys.exit(main("Networks: modularity and communities", measure))
