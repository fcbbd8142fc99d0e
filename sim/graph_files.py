"""Networks from anywhere: a file of edges, and a file of what is known of the nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.rows import BadRow, RowSource, open_rows
from metrics.networks import Network
from metrics.networks.measures import Labels
from sim.errors import GraphError
from sim.numbers import counted

SOURCES = ("source", "src", "from", "follower", "follower_id")
TARGETS = ("target", "dst", "to", "followee", "followee_id")
SIDES = ("side", "label", "party", "group", "community")
SCORES = ("score", "stance", "opinion", "leaning")
"""Column names that are understood without being told; upper and lower case are the same."""


class NamedNetwork(NamedTuple):
    """A network whose nodes have names.

    Args:
        network: its nodes in order of first appearance.
        names: [n] of the nodes.
        labels: what is known of them.
        notes: what was merged or left out in reading, one line each.
    """

    network: Network
    names: tuple[str, ...]
    labels: Labels
    notes: tuple[str, ...]


def read_network(path: Path, *, directed: bool = False, weights: str | None = None) -> NamedNetwork:
    """Read a list of edges, one a line, under a header.

    Args:
        path: CSV, TSV, JSONL, JSON, Parquet or SQLite (also gzipped text). Two columns with usual names
            (`source` and `target`, `src` and `dst`, …), or the only two columns beside the weights, whose names
            are then in `notes`: a file without a header would lose its first edge to them.
        directed: whether (a, b) differs from (b, a).
        weights: column of weights, numbers > 0; those of repeated edges are added. None: a tie is there or
            not, and repeated edges count once.

    Returns:
        The network, without labels; self-loops and merged edges are counted in `notes`.

    Raises:
        GraphError: columns that cannot be told, a bad row (with its line), or no edge.
        CorpusError: for a file that cannot be read.
    """
    rows = open_rows(path)
    (source, target), told = _end_columns(rows, weights)
    number_of: dict[str, int] = {}
    ends: list[tuple[int, int]] = []
    values: list[float] = []
    loops = 0
    for place, row in _rows(rows, [c for c in (source, target, weights) if c is not None]):
        a, b = (number_of.setdefault(_name(row[c], c, place), len(number_of)) for c in (source, target))
        weight = 1.0 if weights is None else _weight(row[weights], weights, place)
        if a == b:
            loops += 1
        else:
            ends.append((a, b))
            values.append(weight)
    if not ends:
        raise GraphError(f"{path}: no edge joins two nodes; expected one edge a line under the header")
    pairs = np.array(ends, dtype=np.intp)
    network = Network.from_edges(pairs[:, 0], pairs[:, 1], len(number_of), values, directed=directed)
    notes = [told] if told else []
    if loops:
        notes.append(f"{counted(loops, 'self-loop')} left out")
    if merged := len(ends) - network.m:
        notes.append(f"{counted(merged, 'repeated edge')} {'merged' if weights is None else 'added up'}")
    return NamedNetwork(
        network.unweighted() if weights is None else network, tuple(number_of), Labels(), tuple(notes)
    )


def with_labels(
    named: NamedNetwork, path: Path, *, side: str | None = None, score: str | None = None
) -> NamedNetwork:
    """Add what a file knows of the nodes.

    Args:
        named: the network.
        path: a file of any format that edges come in; its first column names the node.
        side: column of labels; None takes the one with a usual name (`side`, `label`, `party`, …) or the only
            column beside the node. An empty cell is an unknown side.
        score: column of numbers; None takes the one with a usual name (`score`, `stance`, …). An empty cell is an
            unknown score.

    Raises:
        GraphError: columns that cannot be told, a bad row, a node listed twice, or no node of the network.
        CorpusError: for a file that cannot be read.
    """
    rows = open_rows(path)
    node, *others = rows.names
    asked = {side, score}
    score = _chosen(score, SCORES, others, rows, asked)
    side = _chosen(side, SIDES, others, rows, asked)
    if side is None and score is None:
        if len(others) != 1:
            raise GraphError(
                f"{path}: which column is the label? Found {', '.join(map(repr, rows.names))}; the first names the "
                "node. Choose with --label COLUMN, numbers with --score COLUMN."
            )
        (side,) = others
    number_of = {name: i for i, name in enumerate(named.names)}
    sides: NDArray[Any] = np.full(len(number_of), None, dtype=object)
    scores = np.full(len(number_of), np.nan)
    seen: set[str] = set()
    for place, row in _rows(rows, [c for c in (node, side, score) if c is not None]):
        name = _name(row[node], node, place)
        if name in seen:
            raise GraphError(f"{place}: {node}: {name!r} occurs twice; expected one line a node")
        seen.add(name)
        if name not in number_of:
            continue
        if side is not None and not _blank(row[side]):
            sides[number_of[name]] = str(row[side]).strip()
        if score is not None and not _blank(row[score]):
            scores[number_of[name]] = _score(row[score], score, place)
    if not seen & set(number_of):
        raise GraphError(
            f"{path}: none of its {len(seen)} nodes is in the network; expected the same names in {node}"
        )
    notes = list(named.notes)
    unknown = (side, sum(known is None for known in sides)), (score, int(np.isnan(scores).sum()))
    for column, missing in unknown:
        if column is not None and missing:
            notes.append(f"{counted(missing, 'node')} without a {column}")
    if strangers := len(seen - set(number_of)):
        notes.append(f"{counted(strangers, 'labelled node')} without a tie left out")
    labels = Labels(sides if side is not None else None, scores if score is not None else None)
    return named._replace(labels=labels, notes=tuple(notes))


def _rows(source: RowSource, columns: Sequence[str]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for row in source.read(tuple(columns)):
        place = source.place(row.number)
        if isinstance(row, BadRow):
            raise GraphError(f"{place}: {row.message}. Mend or delete the line.")
        if missing := [c for c in columns if c not in row.values]:
            raise GraphError(f"{place}: no {', '.join(missing)}; expected one in every row")
        yield place, row.values


def _end_columns(rows: RowSource, weights: str | None) -> tuple[tuple[str, str], str]:
    """The two columns, and what to tell where they were not found by name."""
    if all(_is_number(name) for name in rows.names):
        raise GraphError(
            f"{rows.path}:1: no header; got {', '.join(map(repr, rows.names))}. Add a first line such as source,target"
        )
    if weights is not None and weights not in rows.names:
        raise GraphError(
            f"{rows.path}: no column {weights!r} for --weights; found {', '.join(map(repr, rows.names))}"
        )
    others = [name for name in rows.names if name != weights]
    ends = [[name for name in others if name.strip().lower() in usual] for usual in (SOURCES, TARGETS)]
    if len(ends[0]) == len(ends[1]) == 1:
        return (ends[0][0], ends[1][0]), ""
    if len(others) == 2:
        return (others[0], others[1]), f"the ends of edges are the columns {others[0]!r} and {others[1]!r}"
    found = ", ".join(map(repr, others)) + (f" beside the weights {weights!r}" if weights else "")
    raise GraphError(
        f"{rows.path}: which two columns are the ends of an edge? Found {found}; call them source and target"
    )


def _chosen(
    wanted: str | None, usual: Sequence[str], others: Sequence[str], rows: RowSource, asked: set[str | None]
) -> str | None:
    """The column wanted, or else the one of a usual name that was not asked for as something else."""
    if wanted is not None:
        if wanted not in others:
            raise GraphError(
                f"{rows.path}: no column {wanted!r} beside the node; found {', '.join(map(repr, others)) or 'none'}"
            )
        return wanted
    matches = [name for name in others if name.strip().lower() in usual and name not in asked]
    if len(matches) > 1:
        raise GraphError(
            f"{rows.path}: {' and '.join(map(repr, matches))} could both be meant; choose with --label or --score"
        )
    return matches[0] if matches else None


def _name(value: object, column: str, place: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # numbers of nodes, in a Parquet column that once had a gap
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise GraphError(f"{place}: {column}: got {value!r}; expected the name or number of a node")
    return str(value).strip()


def _weight(value: object, column: str, place: str) -> float:
    if (weight := _finite(value)) is None or weight <= 0.0:
        raise GraphError(f"{place}: {column}: got {value!r}; expected a finite number above 0")
    return weight


def _score(value: object, column: str, place: str) -> float:
    if (score := _finite(value)) is None:
        raise GraphError(
            f"{place}: {column}: got {value!r}; expected a finite number. Is it a label? Then --label {column}"
        )
    return score


def _finite(value: object) -> float | None:
    return number if _is_number(value) and math.isfinite(number := float(str(value))) else None


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _blank(value: object) -> bool:
    return value is None or value != value or not str(value).strip()
