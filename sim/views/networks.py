"""The networks of a cell at any of its steps: who is tied to whom, where everybody stands, what that amounts to.

Positions come from the network as it is at the cell's last step, so that nobody moves while steps go by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.networks import (
    Network,
    Partition,
    cross_side_following,
    find_partition,
    hill_number,
    modularity,
    same_side_pairs,
    within_community_homophily,
)
from metrics.networks.measures import NETWORK_MEASURES, Labels
from metrics.networks.partitions import RESTARTS
from sim.numbers import counted, number
from sim.platform_past import open_database_before
from sim.platform_tables import frames
from sim.rng import generator
from sim.run_agents import finished_step
from sim.run_dir import CellDir, RunDir
from sim.run_graphs import RELATIONS

RELATION_MEANINGS = {
    "co-engagement": "Two agents are tied by every post that both liked, commented, reposted or quoted.",
    "follow": "An arrow runs from a follower to the one who is followed; step 0 is the graph that was given.",
    "reply": "An arrow runs from whoever comments to the author of the post, once for every comment.",
    "repost": "An arrow runs from whoever reposts to the author of the words.",
}
MOST_EDGES = 6_000
"""Ties that a picture draws, the heaviest first: more only blacken it."""
EVENNESS = 0.7
"""Of a picture: 0 leaves the layout as it is, 1 fills the disc evenly; ours."""
LEANING = 1 / 3
"""Stances beyond ± this count as leaning to a side in pictures; ours."""
_FEWEST_ROUNDS, _MOST_ROUNDS, _ROUNDS_TIMES_NODES = 60, 500, 30_000
"""Of a layout. On 2,000 agents and 257,196 ties, 60 rounds bring the tied as near to each other as 500 do."""
_MEASURES = ("side_assortativity", "ei_index", "score_assortativity")


class NetworkMoment(NamedTuple):
    """A network at a step.

    Args:
        nodes: one row an agent, in order of ids: agent_id, handle, side, stance (NaN where unknown), leaning
            (`positive`, `negative`, `between`, `unknown`), degree (ties, both directions), community (`ISOLATED`
            without ties; 0 is the largest), x and y in [−1, 1].
        edges: source and target (agent ids), weight; the heaviest `MOST_EDGES`.
        edges_in_all: however many are drawn.
        facts: columns measure, value, definition.
        alt: the picture in words.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    edges_in_all: int
    facts: pd.DataFrame
    alt: str


def positions(cell: CellDir, relation: str, size: int) -> NDArray[np.float64]:
    """Where each agent is drawn: a force-directed layout of the network as it is now, the same every time.

    Args:
        cell: begun, finished or not.
        relation: a key of `RELATIONS`.
        size: N.

    Returns:
        [N, 2] in [−1, 1]; agents without ties stand on a circle around the others.

    Source: `force_layout` and `spread`; the circle is ours.
    """
    network = network_at(cell, relation, size, finished_step(cell))
    places = np.zeros((size, 2))
    linked = np.flatnonzero(network.linked)
    if len(linked):
        places[linked] = 0.88 * spread(force_layout(network.among(linked), cell.key.seed))
    apart = np.flatnonzero(~network.linked)
    angle = 2 * np.pi * np.arange(len(apart)) / max(len(apart), 1)
    places[apart] = np.column_stack([np.cos(angle), np.sin(angle)])
    return places


def force_layout(network: Network, seed: int) -> NDArray[np.float64]:
    """Coordinates [n, 2] in [−1, 1], tied nodes near each other; heavier ties pull more, by their root.

    Args:
        network: directions are dropped.
        seed: of all chance in it; the same gives the same.

    Source: Fruchterman and Reingold 1991, by igraph.
    """
    from metrics.networks.igraphs import as_igraph, igraph_chance

    if not network.n:
        return np.empty((0, 2))
    graph = as_igraph(network.undirected())
    start = generator(seed, "layout", network.n).uniform(-1, 1, size=(network.n, 2))
    with igraph_chance(seed):
        layout = graph.layout_fruchterman_reingold(
            weights=np.sqrt(graph.es["weight"]).tolist(),
            seed=start.tolist(),
            niter=max(_FEWEST_ROUNDS, min(_MOST_ROUNDS, _ROUNDS_TIMES_NODES // network.n)),
            grid=False,
        )
    return _scaled(np.asarray(layout.coords, dtype=np.float64).reshape(-1, 2))


def spread(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a crowded middle room: directions from the centre stay, distances move towards even density.

    Args:
        coordinates: [n, 2].

    Returns:
        [n, 2] in the unit disc; the order of distances is kept.

    Source: ours; a mix of each distance with √(rank / n), the distances of points that fill a disc evenly.
    """
    from_centre = coordinates - np.median(coordinates, axis=0)
    distance = np.hypot(*from_centre.T)
    rank = np.argsort(np.argsort(distance, kind="stable"), kind="stable")
    even = np.sqrt((rank + 0.5) / len(distance))
    wanted = EVENNESS * even + (1 - EVENNESS) * distance / (distance.max() or 1.0)
    scale = np.divide(wanted, distance, out=np.zeros_like(distance), where=distance > 0)
    placed: NDArray[np.float64] = from_centre * scale[:, None]
    return placed


def network_moment(
    run: RunDir, cell: CellDir, relation: str, step: int, places: NDArray[np.float64] | None
) -> NetworkMoment:
    """A network with everything up to and including a step.

    Communities of the co-engagement network are those of the run's own measures at that step.

    Args:
        run: for its population.
        cell: one of the run's.
        relation: a key of `RELATIONS`.
        step: at least 0.
        places: of `positions`; None where agents are not to be drawn one by one, and x and y are NaN.

    Raises:
        RunDirError: for files that are missing or damaged.
    """
    people = run.read_population(cell.key.size).set_index("agent_id").sort_index()
    network = network_at(cell, relation, len(people), step)
    x, y = np.full((2, len(people)), np.nan) if places is None else places.T
    partition = partition_at(network, cell, step)
    stance = _stance(cell, step, people.index)
    side = people["side"].astype(object)
    nodes = pd.DataFrame(
        {
            "agent_id": people.index,
            "handle": people["handle"].to_numpy(),
            "side": side.where(side.notna(), None).to_numpy(),
            "stance": stance,
            "leaning": _leaning(stance),
            "degree": _degree(network),
            "community": partition.labels,
            "x": x,
            "y": y,
        }
    )
    edges = pd.DataFrame(network.edges._asdict()).sort_values("weight", ascending=False, kind="stable")
    facts = _facts(network, partition, Labels(nodes["side"].to_numpy(), stance), relation)
    alt = _words(relation, step, network, partition, facts)
    return NetworkMoment(nodes, edges.head(MOST_EDGES).reset_index(drop=True), network.m, facts, alt)


def network_at(cell: CellDir, relation: str, size: int, step: int) -> Network:
    """A network of all agents with everything up to and including a step.

    Raises:
        RunDirError: for a database that is missing or damaged.
    """
    with open_database_before(cell.database, step + 1) as database:
        tables = frames(database)
    return RELATIONS[relation](tables, pd.RangeIndex(size))


def partition_at(network: Network, cell: CellDir, step: int) -> Partition:
    """Its communities: of co-engagement by the very search of `metrics.groups`.

    Other networks are searched without their directions, which is a hundred times as fast; Q is theirs as they are.
    """
    chance = int(generator(cell.key.seed, "communities", cell.key.size).integers(2**63))
    rng = np.random.default_rng([chance, step])
    found = find_partition(network.undirected(), rng=rng, restarts=RESTARTS)
    return Partition(found.labels, modularity(network, found.labels)) if network.directed else found


def ties_of(run: RunDir, cell: CellDir, relation: str, step: int, agent_id: int) -> pd.DataFrame:
    """An agent's ties up to a step, the heaviest first.

    Returns:
        Columns agent_id, handle, side, direction (`to`, `from`; `both` where ties have none), weight.
    """
    people = run.read_population(cell.key.size).set_index("agent_id").sort_index()
    network = network_at(cell, relation, len(people), step)
    parts = [("to", network.weights[[agent_id]].tocoo().T)] if network.directed else []
    parts.append(("from" if network.directed else "both", network.weights[:, [agent_id]].tocoo()))
    rows = [
        (int(other), people["handle"][other], people["side"][other], direction, weight)
        for direction, column in parts
        for other, weight in zip(column.row, column.data, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["agent_id", "handle", "side", "direction", "weight"])
    return frame.sort_values(["weight", "agent_id"], ascending=[False, True], ignore_index=True)


def _stance(cell: CellDir, step: int, agents: pd.Index) -> NDArray[np.float64]:
    """NaN throughout as long as the cell runs: stances are measured when it is done."""
    if not cell.stance_file.exists():
        return np.full(len(agents), np.nan)
    stance = cell.read_stance()
    at = stance[stance["step"] == step].set_index("user_id")["stance"]
    return at.reindex(agents).to_numpy(dtype=np.float64)


def _leaning(stance: NDArray[np.float64]) -> NDArray[np.object_]:
    kinds = [np.isnan(stance), stance > LEANING, stance < -LEANING]
    return np.select(kinds, ["unknown", "positive", "negative"], "between").astype(object)


def _degree(network: Network) -> NDArray[np.int64]:
    sent: NDArray[np.int64] = np.diff(network.weights.indptr).astype(np.int64)
    if not network.directed:
        return sent
    return sent + np.bincount(network.weights.indices, minlength=network.n)


def _scaled(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Into [−1, 1], centred, without changing the shape."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    reach = float((high - low).max()) / 2
    placed: NDArray[np.float64] = (coordinates - (low + high) / 2) / (reach or 1.0)
    return placed


def _facts(network: Network, partition: Partition, labels: Labels, relation: str) -> pd.DataFrame:
    assert labels.side is not None
    rows: list[tuple[str, float, str]] = [
        ("Agents with ties", float(network.linked.sum()), f"of {network.n:,}"),
        ("Ties", float(network.m), "distinct ones; directed ones by direction"),
        ("Modularity", partition.modularity, "Newman's Q of the Leiden communities; 0 is chance"),
        ("Communities", hill_number(partition.sizes, 0.0), "however small"),
        (
            "Effective communities", hill_number(partition.sizes, 1.0),
            "exp(Shannon entropy of their sizes): as many equal ones would be as diverse",
        ),
        (
            "Same-side pairs within communities", within_community_homophily(partition.labels, labels.side),
            "averaged by community size",
        ),
        ("Same-side pairs among all", same_side_pairs(labels.side), "what the row above is by chance"),
    ]  # fmt: skip
    for measure in NETWORK_MEASURES:
        given = labels.of(measure)
        if measure.id in _MEASURES and given is not None:
            rows.append((measure.label, measure.of(network, given), measure.definition))
    if relation == "follow":
        exposed = cross_side_following(network, labels.side)
        rows.append(("Other side among the followed", exposed, "averaged over agents who follow anyone"))
    return pd.DataFrame(rows, columns=["measure", "value", "definition"])


def _words(relation: str, step: int, network: Network, partition: Partition, facts: pd.DataFrame) -> str:
    head = f"{relation.capitalize()} network of {counted(network.n, 'agent')} after step {step}"
    if not network.m:
        return f"{head}: nobody is tied to anybody yet."
    value = facts.set_index("measure")["value"]
    sizes = partition.sizes
    drawn = f" The heaviest {MOST_EDGES:,} are drawn." if network.m > MOST_EDGES else ""
    return (
        f"{head}: {counted(network.m, 'tie')} among {counted(int(network.linked.sum()), 'agent')}; "
        f"{len(sizes)} communities, the largest of {counted(int(sizes[0]), 'agent')}; modularity "
        f"{number(partition.modularity)}; assortativity of the sides "
        f"{number(value['Assortativity of the sides'], signed=True)} (0 is chance).{drawn}"
    )
