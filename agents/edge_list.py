"""The user's own follow graph, from a file of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from agents.errors import CorpusError, PopulationError
from agents.rows import Row, open_rows

_FOLLOWER = ("follower_id", "follower", "source", "src", "from")
_FOLLOWEE = ("followee_id", "followee", "target", "dst", "to")


class EdgeList(NamedTuple):
    """Edges among the population, and the count of the rows that gave none.

    Args:
        edges: distinct pairs (follower_id, followee_id) of agent ids, sorted.
        excluded: `outside_population`, `self_loop`, `duplicate_edge` and `bad_row` to number of rows.
    """

    edges: pd.DataFrame
    excluded: Mapping[str, int]


def read_edge_list(path: Path | str, agent_of: Mapping[str, int]) -> EdgeList:
    """Read who follows whom by corpus user ids; a file of any format that corpora come in.

    Rows that name someone outside the population are expected, since a population is a sample: they are
    counted. Further columns, such as weights, play no part.

    Args:
        path: a file with a follower and a followee column (`follower`/`followee`, `src`/`dst`, …).
        agent_of: corpus user id to agent id.

    Raises:
        PopulationError: for a file that cannot be read, missing columns, or no edge within the population.
    """
    try:
        source = open_rows(Path(path))
        follower = _column(source.names, _FOLLOWER, source.path)
        followee = _column(source.names, _FOLLOWEE, source.path)
        rows = list(source.read((follower, followee)))
    except CorpusError as error:
        raise PopulationError(f"follow_graph.path: {error}") from error
    excluded: Counter[str] = Counter()
    edges: set[tuple[int, int]] = set()
    for row in rows:
        pair = _pair(row.values, follower, followee) if isinstance(row, Row) else None
        if pair is None:
            excluded["bad_row"] += 1
        elif pair[0] not in agent_of or pair[1] not in agent_of:
            excluded["outside_population"] += 1
        elif pair[0] == pair[1]:
            excluded["self_loop"] += 1
        elif (edge := (agent_of[pair[0]], agent_of[pair[1]])) in edges:
            excluded["duplicate_edge"] += 1
        else:
            edges.add(edge)
    if not edges:
        counts = ", ".join(f"{reason}: {count}" for reason, count in excluded.items()) or "no rows"
        raise PopulationError(
            f"follow_graph.path: {path}: no edge joins two of the {len(agent_of)} agents ({counts}). "
            "The file must name users as the corpus does; a larger population keeps more edges."
        )
    frame = pd.DataFrame(sorted(edges), columns=["follower_id", "followee_id"], dtype="int64")
    return EdgeList(frame, dict(excluded))


def _pair(values: Mapping[str, object], follower: str, followee: str) -> tuple[str, str] | None:
    """Both user ids as text, as the corpus loader writes them; None where one is missing."""
    ends = []
    for end in (values.get(follower), values.get(followee)):
        if not isinstance(end, str | int) or isinstance(end, bool) or not str(end).strip():
            return None
        ends.append(str(end).strip())
    return ends[0], ends[1]


def _column(names: Sequence[str], usual: Sequence[str], path: Path) -> str:
    matches = [name for name in names if name.strip().lower() in usual]
    if len(matches) != 1:
        raise CorpusError(
            f"{path}: expected exactly one column among {', '.join(usual)}; "
            f"found {', '.join(map(repr, names)) or 'none'}"
        )
    return matches[0]
