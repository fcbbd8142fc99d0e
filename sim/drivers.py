"""What went along with changes of opinion in a finished run."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from agents.bindings import Condition
from metrics.drivers import Drivers, driver_table, fit_drivers, shown_stance
from metrics.opinion_change import change_summary, opinion_changes
from sim.errors import RunDirError
from sim.measuring import exposures
from sim.opinion_cell import opinion_model
from sim.people import gather_again
from sim.platform_tables import read_tables
from sim.run_dir import RunDir
from sim.scenario_base import open_scenario_base
from sim.stance import fit_scorer


class RunDrivers(NamedTuple):
    """One condition of a run at one size, all its seeds together.

    Args:
        changes: `seed` and the columns of `change_summary`.
        drivers: the regression; users are clusters across seeds, since seeds share the people.
        toy: whether the run's base is a toy.
    """

    changes: pd.DataFrame
    drivers: Drivers
    toy: bool


def run_drivers(run: RunDir, condition: Condition, size: int) -> RunDrivers:
    """Summarise changes of stance and regress them on what users were shown.

    The stance scorer is fitted again from the corpus, to score the posts that were shown.

    Args:
        run: with at least one finished cell of the condition and size.
        condition: which.
        size: N.

    Raises:
        RunDirError: no such finished cell, an opinion model, or a corpus that changed since the run.
        MetricInputError: too few users changed.
    """
    cells = [c for c in run.cells() if c.done and c.key.condition == condition and c.key.size == size]
    if not cells:
        done = sorted({f"{c.key.condition} at N={c.key.size}" for c in run.cells() if c.done})
        raise RunDirError(
            f"{run.path}: no finished cell of {condition} at N={size}; there are {', '.join(done) or 'none'}"
        )
    if opinion_model(condition):
        raise RunDirError(
            f"{run.path}: {condition} is an opinion model, whose agents are shown no posts; expected a condition of "
            "language agents, such as lora"
        )
    scenario = run.scenario
    people = gather_again(run)

    scorer = fit_scorer(scenario, people, lambda: open_scenario_base(scenario))
    side = people.populations[size].side
    tables, changes = [], []
    for cell in cells:
        stance = cell.read_stance()
        changes.append(change_summary(opinion_changes(stance)).assign(seed=cell.key.seed))
        seen = exposures(cell.ledger.read(["step", "agent_id", "feed"]))
        shown = shown_stance(seen, read_tables(cell.database).posts, side, scorer)
        tables.append(driver_table(stance, shown, side, positive=people.sides[0]))
    return RunDrivers(
        pd.concat(changes, ignore_index=True),
        fit_drivers(pd.concat(tables, ignore_index=True)),
        run.manifest["base"]["toy"],
    )
