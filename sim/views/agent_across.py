"""One agent in all cells of its size: the same person, feed policy and chances under other weights."""

from __future__ import annotations

import pandas as pd

from agents.population import Agent
from sim.numbers import counted, number
from sim.platform_tables import open_database
from sim.run_agents import language_cells
from sim.run_dir import CellDir, RunDir
from sim.views.agents import carried
from sim.views.plotted import Plotted

ACROSS_COLUMNS = [
    "cell", "stance", "acts", "failures", "posts", "quotes", "comments", "reposts", "likes_given",
    "likes_received", "follows", "adapter",
]  # fmt: skip
"""follows: whom it follows by now, those given at the start included; stance: after the last step."""

_COUNTS = """
SELECT
    (SELECT count(*) FROM post WHERE user_id = :agent AND original_post_id IS NULL AND created_at > 0),
    (SELECT count(*) FROM post WHERE user_id = :agent AND quote_content IS NOT NULL),
    (SELECT count(*) FROM comment WHERE user_id = :agent),
    (SELECT count(*) FROM post WHERE user_id = :agent AND original_post_id IS NOT NULL AND quote_content IS NULL),
    (SELECT count(*) FROM "like" WHERE user_id = :agent),
    (SELECT coalesce(sum(num_likes), 0) FROM post WHERE user_id = :agent),
    (SELECT count(*) FROM follow WHERE follower_id = :agent)
"""


def across(run: RunDir, size: int, agent: Agent) -> pd.DataFrame:
    """What an agent did in every cell that has begun.

    Returns:
        Columns of `ACROSS_COLUMNS`, in the order of the grid; stance is NaN where the cell is not done or the agent
        has shown none.

    Raises:
        RunDirError: for files that are missing or damaged.
    """
    cells = [cell for cell in language_cells(run) if cell.key.size == size]
    return pd.DataFrame([_row(run, cell, agent) for cell in cells], columns=ACROSS_COLUMNS)


def stance_over_steps(run: RunDir, size: int, agent: Agent) -> Plotted:
    """An agent's stance in every finished cell, opinion models included.

    Returns:
        Columns condition, seed, step, stance (NaN while it has shown none); `alt` says where it ends.

    Raises:
        RunDirError: for files that are missing or damaged.
    """
    done = [cell for cell in run.cells() if cell.done and cell.key.size == size]
    parts = []
    for cell in done:
        stance = cell.read_stance()
        own = stance.loc[stance["user_id"] == agent.agent_id, ["step", "stance"]]
        parts.append(own.assign(condition=cell.key.condition, seed=cell.key.seed))
    columns = ["condition", "seed", "step", "stance"]
    frame = (
        pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns, dtype=float)
    )
    title = f"Stance of @{agent.handle} over steps, in {counted(len(done), 'finished cell')}"
    return Plotted(frame, title, _words(frame, agent))


def _row(run: RunDir, cell: CellDir, agent: Agent) -> tuple[object, ...]:
    ledger = cell.ledger.read(["agent_id", "ok"])
    ok = ledger.loc[ledger["agent_id"] == agent.agent_id, "ok"]
    with open_database(cell.database) as database:
        counts = database.execute(_COUNTS, {"agent": agent.agent_id}).fetchone()
    whose = carried(run, cell, agent).whose
    failures = int((~ok).sum())
    return (cell.key.id, _last(cell, agent), len(ok), failures, *counts, whose)


def _last(cell: CellDir, agent: Agent) -> float:
    if not cell.stance_file.exists():
        return float("nan")
    stance = cell.read_stance()
    own = stance[stance["user_id"] == agent.agent_id].sort_values("step")["stance"]
    return float(own.iloc[-1]) if len(own) else float("nan")


def _words(frame: pd.DataFrame, agent: Agent) -> str:
    if frame.empty:
        return "No cell is finished yet, and stances are measured when one is."
    ends = frame[frame["step"] == frame["step"].max()]
    said = "; ".join(
        f"{row.condition}, seed {row.seed}: "
        f"{number(row.stance, signed=True) if pd.notna(row.stance) else 'none shown'}"
        for row in ends.itertuples()
    )
    return f"@{agent.handle} ({agent.side or 'side unknown'}) ends at a stance of {said}. Stances lie in [−1, 1]."
