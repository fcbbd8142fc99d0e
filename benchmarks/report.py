"""From finished simulations to the answer: every measure of every step, the comparison and the report.

The societies are scripted (`benchmarks/scripted_runs.py`). Making them is not timed.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.harness import Case, Figure, Goal, Results, main, seconds, take_turns
from benchmarks.scripted_runs import scenario, simulate, take_measures
from sim.cell import grid
from sim.comparison import compare_run
from sim.report import write_report
from sim.run_dir import RunDir
from sim.scenario import Scenario

GOAL_SECONDS = 10.0


def answer(run: RunDir) -> None:
    """Compare the conditions and write the report."""
    compare_run(run)
    write_report(run)


def time_run(name: str, plan: Scenario) -> tuple[Case, Goal]:
    """Seconds for measures and for the answer of one run, each from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunDir(Path(folder))
        worlds, scorer = simulate(run, plan)
        parts = {"measures": partial(take_measures, run, worlds, scorer), "answer": partial(answer, run)}
        times = take_turns({part: partial(seconds, work) for part, work in parts.items()})
        times["both"] = [a + b for a, b in zip(times["measures"], times["answer"], strict=True)]
        rows = sum(len(cell.ledger.read(["step"])) for cell in run.cells())
    setting = {
        "agents": max(plan.population.size),
        "steps": plan.simulation.steps,
        "cells": len(grid(plan)),
        "decisions": rows,
    }
    figures = {f"{part}, seconds": Figure.of(values) for part, values in times.items()}
    whole = Figure.of(times["both"])
    return Case(name, setting, figures), Goal(
        f"{name}: measures and report, seconds", whole.median, GOAL_SECONDS, False
    )


def measure_all(quick: bool) -> Results:
    """One cell, and two conditions under two seeds."""
    agents, steps = (48, 4) if quick else (512, 30)
    timed = [
        time_run("one cell", scenario(agents, steps, ["lora"], [0])),
        time_run("two by two", scenario(agents, steps, ["lora", "shared_base"], [0, 1])),
    ]
    return Results([case for case, _ in timed], [goal for _, goal in timed])


if __name__ == "__main__":
    sys.exit(main("Report: measures, comparison and report of finished simulations", measure_all))
