"""The story of a family of records, laid out: one lane for each record, steps from left to right in order of time."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from adapters.store.catalog.family import Step, family
from sim.views.adapters import catalog_of, when

MOST_RECORDS = 60
"""Of a family: more lanes than this are no picture."""


class Lineage(NamedTuple):
    """Points and lines of the picture.

    Args:
        steps: columns x, lane (0 at the top), record, entry, event, revision, at, head, served, retired, state;
            in order of time.
        moves: columns record, event, x_from, lane_from, x_to, lane_to: what followed on what. A rollback also has a
            line of its own kind, `back to`, to the entry that it returned to.
    """

    steps: pd.DataFrame
    moves: pd.DataFrame


def record_lineage(store: Path, name: str) -> Lineage:
    """Lay out everything that the family of a record went through.

    Args:
        store: its folder.
        name: of any record of the family; only its `MOST_RECORDS` records nearest to the ancestor are shown.
    """
    with catalog_of(store).reading() as db:
        told = family(db, name, MOST_RECORDS)
    lanes = {record: lane for lane, record in enumerate(dict.fromkeys(step.record for step in told))}
    steps = pd.DataFrame(
        [
            (x, lanes[s.record], s.record, s.sequence, s.event, s.revision, when(s.at), s.is_head, s.is_served,
             s.retired, s.state)
            for x, s in enumerate(told, start=1)
        ],
        columns=["x", "lane", "record", "entry", "event", "revision", "at", "head", "served", "retired", "state"],
    )  # fmt: skip
    moves = [
        (told[to].record, event, start + 1, lanes[told[start].record], to + 1, lanes[told[to].record])
        for to in range(len(told))
        for event, start in _sources(told, to)
    ]
    return Lineage(
        steps, pd.DataFrame(moves, columns=["record", "event", "x_from", "lane_from", "x_to", "lane_to"])
    )


def _sources(told: list[Step], to: int) -> list[tuple[str, int]]:
    """Kind and place of the steps that a step follows on."""
    step, earlier = told[to], range(to - 1, -1, -1)
    before = next((i for i in earlier if told[i].record == step.record), None)
    sources = [(str(step.event), before)] if before is not None else []
    if step.event == "rollback":
        back = next(i for i in earlier if (told[i].record, told[i].revision) == (step.record, step.revision))
        sources.append(("back to", back))
    if step.event == "branch":
        parent = (step.parent, step.parent_revision)
        sources += [("branch", i) for i in earlier if (told[i].record, told[i].revision) == parent][:1]
    return sources
