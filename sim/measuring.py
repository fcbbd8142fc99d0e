"""From a finished cell to its measures."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from agents.population import Population
from metrics.failures import measure_ledger
from metrics.measure import measure_moments
from metrics.moments import Moments
from metrics.stance import StanceScorer, StanceWeights
from metrics.tables import CellTables
from sim.platform_tables import read_tables
from sim.rng import generator
from sim.run_dir import CellDir

FAILURE_COLUMNS = ["step", "agent_id", "action", "ok", "outcome", "finish_reason"]
"""What `failure_view` needs of the ledger."""


class CellMeasures(NamedTuple):
    """What is kept of one cell.

    Args:
        values: columns step, metric, value.
        stance: columns step, user_id, stance; of everything a user did up to the step, NaN where that is nothing.
    """

    values: pd.DataFrame
    stance: pd.DataFrame


def measure(
    cell: CellDir, population: Population, scorer: StanceScorer, weights: StanceWeights, steps: int
) -> CellMeasures:
    """Every metric of the catalogue, and every user's stance, at every step."""
    ledger = cell.ledger.read([*FAILURE_COLUMNS, "feed"])
    moments = range(steps + 1)
    platform = read_tables(cell.database)
    tables = CellTables(
        posts=platform.posts,
        likes=platform.likes,
        dislikes=platform.dislikes,
        comments=platform.comments,
        follows=platform.follows,
        exposures=exposures(ledger),
        side=population.side,
        scorer=scorer,
        weights=weights,
    )
    rng = generator(cell.key.seed, "communities", cell.key.size)
    seen = Moments.of(tables, moments, rng=rng)
    failures = measure_ledger(failure_view(ledger), moments)
    values = pd.concat([measure_moments(seen), failures], ignore_index=True)
    return CellMeasures(values, _stances(seen.stance))


def _stances(by_step: pd.DataFrame) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"step": step, "user_id": by_step.index, "stance": stance.to_numpy()})
        for step, stance in by_step.items()
    ]
    return pd.concat(parts, ignore_index=True)


def exposures(ledger: pd.DataFrame) -> pd.DataFrame:
    """One row for each post shown in a prompt: step, user_id, post_id."""
    shown = ledger[["step", "agent_id", "feed"]].explode("feed").dropna(subset="feed")
    renamed = shown.rename(columns={"agent_id": "user_id", "feed": "post_id"})
    return renamed.astype("int64").reset_index(drop=True)


def failure_view(ledger: pd.DataFrame) -> pd.DataFrame:
    """The ledger as `metrics.failures` reads it: an error kind wherever a decision came to nothing."""
    return pd.DataFrame(
        {
            "step": ledger["step"],
            "user_id": ledger["agent_id"],
            "action": ledger["action"],
            "outcome": ledger["outcome"],
            "error_kind": ledger["outcome"].where(~ledger["ok"]),
            "finish_reason": ledger["finish_reason"],
        }
    )
