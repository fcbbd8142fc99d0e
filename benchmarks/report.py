"""From finished simulations to the answer: every measure of every step, the comparison and the report.

The societies are scripted: agents act at random on what their feeds show, in the words of their held-out and
training posts, so that graphs, cascades and texts grow as in a real run. Making them is not timed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from adapters.engines.scripted import ScriptedEngine
from agents.decision import ALL_ACTIONS, TARGETS_POST, WRITES_CONTENT, Action, Decision
from agents.policy import Observation, ScriptedPolicy
from benchmarks.harness import Case, Figure, Goal, Results, main, seconds, take_turns
from metrics.stance import StanceScorer
from sim.cell import grid
from sim.comparison import compare_run
from sim.feeds import FeedPolicy
from sim.measuring import measure
from sim.people import gather
from sim.preparation import prepare
from sim.progress import Silent
from sim.provenance import hardware, versions
from sim.report import write_report
from sim.run_dir import FORMAT, RunDir, write_frame
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from sim.simulation import Simulation
from sim.world import World, build_world

GOAL_SECONDS = 10.0
TASTE = {
    Action.LIKE_POST: 0.4,
    Action.CREATE_COMMENT: 0.15,
    Action.CREATE_POST: 0.2,
    Action.REPOST: 0.15,
    Action.QUOTE_POST: 0.05,
    Action.FOLLOW: 0.05,
}
"""How often scripted agents want to do what; they do the first open thing of a random order so weighted."""


def scenario(agents: int, steps: int, conditions: list[str], seeds: list[int]) -> Scenario:
    """A run on the shipped base, whose weights are never asked for."""
    return Scenario.model_validate(
        {
            "name": "report-benchmark",
            "corpus": {"users": agents, "posts_per_user": 20},
            "population": {"size": agents, "train_posts": 12, "held_out_posts": 3},
            "conditions": conditions,
            "seeds": seeds,
            "simulation": {"steps": steps, "seed_posts": agents // 2},
        }
    )


def script(texts: dict[int, list[str]], seed: int) -> Callable[[Observation], Decision]:
    """Agents who act at random in their own words."""
    rng = np.random.default_rng(seed)
    wishes, weights = list(TASTE), np.array(list(TASTE.values()))

    def act(seen: Observation) -> Decision:
        for place in rng.choice(len(wishes), size=len(wishes), replace=False, p=weights / weights.sum()):
            action = wishes[place]
            if action in seen.open_to.actions:
                break
        else:
            return Decision(Action.DO_NOTHING)
        post = followee = content = None
        if action in TARGETS_POST:
            post = seen.feed[seen.open_to.posts[action][0] - 1].post_id
        if action is Action.FOLLOW:
            followee = next(entry.author_id for entry in seen.feed if not entry.following)
        if action in WRITES_CONTENT:
            content = str(rng.choice(texts[seen.agent.agent_id]))
        return Decision(action, post, followee, content)

    return act


def simulate(run: RunDir, plan: Scenario) -> tuple[dict[int, World], StanceScorer]:
    """Play every cell of a run, and write all that its report rests on but the measures."""
    ready, people = prepare(plan), gather(plan)
    (size,) = plan.population.size
    worlds = {seed: build_world(plan, people, size, seed) for seed in plan.seeds}
    population = people.populations[size]
    texts = {a.agent_id: [post.text for post in people.splits[a.user_id].user.posts] for a in population}
    write_frame(pd.DataFrame([asdict(agent) for agent in population]), run.population_file(size))
    run.write_manifest(_manifest(plan, ready.base.name, ready.scorer, people.sides))
    for number, key in enumerate(grid(plan)):
        Simulation(
            world=worlds[key.seed],
            bindings=dict.fromkeys(range(size)),
            engine=ScriptedEngine(lambda _: ""),
            policy=ScriptedPolicy(script(texts, number)),
            feed=FeedPolicy(**plan.simulation.feed.model_dump()),
            actions=ALL_ACTIONS,
        ).run(run.cell(key), Silent())
    return worlds, ready.scorer


def _manifest(plan: Scenario, base: str, scorer: StanceScorer, sides: tuple[str, str]) -> dict[str, object]:
    return {
        "format": FORMAT,
        "state": "done",
        "scenario": as_plain(plan),
        "base": {"name": base, "fingerprint": "", "toy": True},
        "corpus": {
            "name": "synthetic",
            "sha256": "",
            "usable_people": max(plan.population.size),
            "excluded": {},
        },
        "sides": list(sides),
        "stance_scorer": asdict(scorer.held_out),
        "versions": versions(),
        "hardware": hardware(),
    }


def take_measures(run: RunDir, worlds: dict[int, World], scorer: StanceScorer) -> None:
    """Measure every cell at every step."""
    for cell in run.cells():
        weights, steps = run.scenario.stance.weights, run.scenario.simulation.steps
        measures = measure(cell, worlds[cell.key.seed].population, scorer, weights, steps)
        write_frame(measures.stance, cell.stance_file)
        write_frame(measures.values, cell.metrics_file)


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
