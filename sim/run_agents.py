"""The agents of a run: who is meant by a name, and what each had before it when it acted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from agents.decision import FeedEntry
from agents.population import Agent
from sim.errors import RunAgentError
from sim.feed_entries import read_feed_entries
from sim.opinion_cell import opinion_model
from sim.platform_past import open_database_before
from sim.platform_tables import open_database
from sim.run_dir import CellDir, RunDir


class Seen(NamedTuple):
    """What an agent saw.

    Args:
        step: at which it acted; 0 when it has not acted yet.
        feed: best first, with likes and marks as they were.
    """

    step: int
    feed: tuple[FeedEntry, ...]


def language_cells(run: RunDir) -> list[CellDir]:
    """Cells that have begun and whose agents read and write; those of opinion models do not."""
    return [
        cell
        for cell in run.cells()
        if opinion_model(cell.key.condition) is None and (cell.done or cell.database.exists())
    ]


def find_cell(run: RunDir, name: str | None = None) -> CellDir:
    """A cell that has begun.

    Args:
        run: the run.
        name: such as `lora-n64-s0`; None takes the first.

    Raises:
        RunAgentError: when there is none, or none of that name.
    """
    cells = {cell.key.id: cell for cell in language_cells(run)}
    if not cells:
        raise RunAgentError(f"{run.path}: no cell with language agents has begun yet")
    if name is not None and name not in cells:
        raise RunAgentError(f"{run.path}: has no cell {name!r} of language agents; it has {', '.join(cells)}")
    return cells[name or next(iter(cells))]


def finished_step(cell: CellDir) -> int:
    """The last step that a cell has finished, 0 after seeding.

    Raises:
        RunDirError: for a database that is missing or damaged.
    """
    with open_database(cell.database) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def find_agent(run: RunDir, size: int, who: str | int) -> Agent:
    """An agent of one population.

    Args:
        run: the run.
        size: N.
        who: handle (with or without @), agent id, or user id of the corpus, looked for in this order.

    Raises:
        RunAgentError: when nobody is meant.
        RunDirError: for a population file that is missing or damaged.
    """
    people = run.read_population(size)
    name = str(who).strip().removeprefix("@")
    for column in ("handle", "agent_id", "user_id"):
        found = people[people[column].astype(str) == name]
        if len(found):
            return _agent(found.to_dict("records")[0])
    some = ", ".join(f"@{handle}" for handle in people["handle"].head(5))
    raise RunAgentError(
        f"{run.path}: no agent {who!r} among {len(people)}; expected a handle such as {some}, an agent id "
        f"from 0 to {len(people) - 1}, or a user id of the corpus"
    )


def last_seen(cell: CellDir, agent_id: int, step: int) -> Seen:
    """What an agent saw when it last acted.

    Args:
        cell: begun, finished or not.
        agent_id: whose eyes.
        step: acts later than this one are not looked at.

    Raises:
        RunDirError: for files that are missing or damaged.
    """
    acted = cell.ledger.read(["step", "agent_id", "feed"])
    acted = acted[(acted["agent_id"] == agent_id) & (acted["step"] <= step)]
    if acted.empty:
        return Seen(0, ())
    last = acted.iloc[-1]
    return Seen(int(last["step"]), feed_at(cell, agent_id, int(last["step"]), last["feed"]))


def feed_at(cell: CellDir, agent_id: int, step: int, post_ids: list[int]) -> tuple[FeedEntry, ...]:
    """Posts as an agent met them at a step: likes and own marks are those of that moment.

    Raises:
        PlatformError: for a post that did not exist then.
        RunDirError: for a database that is missing or damaged.
    """
    with open_database_before(cell.database, step) as database:
        return read_feed_entries(database, agent_id, post_ids)


def _agent(row: Mapping[Any, Any]) -> Agent:
    side = row["side"]
    return Agent(**{**row, "side": None if pd.isna(side) else side})
