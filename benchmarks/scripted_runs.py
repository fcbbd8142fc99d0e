"""Finished runs without a model, of any size, for benchmarks of what comes after the simulation.

The societies are scripted: agents act at random on what their feeds show, in the words of their held-out and
training posts, so that graphs, cascades and texts grow as in a real run. Nobody carries an adapter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd

from adapters.engines.scripted import ScriptedEngine
from agents.decision import ALL_ACTIONS, TARGETS_POST, WRITES_CONTENT, Action, Decision
from agents.policy import Observation, ScriptedPolicy
from metrics.stance import StanceScorer
from sim.cell import grid
from sim.comparison import compare_run
from sim.feeds import FeedPolicy
from sim.measuring import measure
from sim.people import gather
from sim.preparation import prepare
from sim.progress import Silent
from sim.provenance import hardware, versions
from sim.run_dir import FORMAT, RunDir, write_frame
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from sim.simulation import Simulation
from sim.world import World, build_world

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
            "name": "scripted",
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
        bindings: dict[int, str | None] = dict.fromkeys(range(size))
        run.cell(key).write_bindings(bindings)
        Simulation(
            world=worlds[key.seed],
            bindings=bindings,
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


def finish(run: RunDir) -> None:
    """Write the files of a whole run: all measures, the comparison."""
    write_frame(run.read_metrics(), run.metrics_file)
    compare_run(run).to_csv(run.comparison_file, index=False)
