"""The networks of a run: who follows, answers, shares and meets whom in one of its cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from metrics.engagement import engagements
from metrics.networks import (
    Network,
    co_engagement_network,
    follow_network,
    reply_network,
    repost_network,
)
from metrics.networks.measures import Labels
from sim.errors import GraphError
from sim.graph_files import NamedNetwork
from sim.opinion_cell import opinion_model
from sim.platform_tables import PlatformTables, read_tables
from sim.run_dir import CellDir, RunDir


def read_run_network(run: RunDir, relation: str, cell: str | None = None) -> NamedNetwork:
    """One network of one finished cell, as of its last step.

    Args:
        run: the run.
        relation: what ties two agents: `follow`, `reply`, `repost` or `co-engagement`.
        cell: its name, such as `lora-n64-s0`; None takes the first finished one of language agents.

    Returns:
        The network of all agents; sides are the population's, scores the stances of the last step.

    Raises:
        GraphError: an unknown relation or cell, one of an opinion model, or none that is finished.
        RunDirError: for files that are missing or damaged.
    """
    if relation not in RELATIONS:
        raise GraphError(f"relation: got {relation!r}; expected one of {', '.join(RELATIONS)}")
    chosen = _cell(run, cell)
    people = run.read_population(chosen.key.size).set_index("agent_id")
    stance = chosen.read_stance()
    last = stance[stance["step"] == stance["step"].max()].set_index("user_id")["stance"]
    side = people["side"].astype(object)
    return NamedNetwork(
        network=RELATIONS[relation](read_tables(chosen.database), people.index),
        names=tuple(people["handle"]),
        labels=Labels(
            side.where(side.notna(), None).to_numpy(), last.reindex(people.index).to_numpy(dtype=np.float64)
        ),
        notes=(f"{relation} network of cell {chosen.key.id}",),
    )


def _acts(tables: PlatformTables) -> pd.DataFrame:
    return engagements(tables.posts, tables.comments, tables.likes, tables.dislikes)


RELATIONS: dict[str, Callable[[PlatformTables, pd.Index], Network]] = {
    "follow": lambda tables, agents: follow_network(tables.follows, agents),
    "reply": lambda tables, agents: reply_network(_acts(tables), agents),
    "repost": lambda tables, agents: repost_network(_acts(tables), agents),
    "co-engagement": lambda tables, agents: co_engagement_network(_acts(tables), agents),
}
"""Every relation of a run, and how its network is made."""


def _cell(run: RunDir, name: str | None) -> CellDir:
    done = [cell for cell in run.cells() if cell.done]
    if not done:
        raise GraphError(f"{run.path}: no cell is finished yet. Finish one: plures run SCENARIO --resume")
    able = {cell.key.id: cell for cell in done if opinion_model(cell.key.condition) is None}
    if not able:
        raise GraphError(f"{run.path}: only opinion models are finished, in which nobody answers or shares")
    if name is None or name in able:
        return able[name or next(iter(able))]
    silent = name in {cell.key.id for cell in done}
    why = "is an opinion model's, in which nobody answers or shares" if silent else "is not a finished cell"
    raise GraphError(f"{run.path}: {name!r} {why}; choose one of {', '.join(able)}")
