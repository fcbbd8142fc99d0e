"""How long a run will take on this machine: small samples of its own work, timed and scaled up."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from adapters.engines.protocol import GenerateRequest
from adapters.store import AdapterStore
from agents.opinion.models import OPINION_CONDITIONS
from agents.policy import StructuredPolicy
from sim.adapter_supply import obtain
from sim.engines import open_engine
from sim.errors import ScenarioError
from sim.preparation import Prepared, authors, needs_personal
from sim.progress import Silent
from sim.rng import request_seed
from sim.scenario import Scenario
from sim.training_jobs import Author, Job, personal_jobs, pooled_job
from sim.workload import observations

SAMPLED_USERS, SAMPLED_REQUESTS = 4, 16
"""People whose first rows are trained on, and decisions that are asked for, to know how long each takes."""


class Part(NamedTuple):
    """One part of a run.

    Args:
        name: such as `training, personal adapters` or `condition lora`.
        amount: how many of `unit`.
        unit: `rows`, each epoch counted, or `decisions`.
        seconds: that they will take.
    """

    name: str
    amount: int
    unit: str
    seconds: float


class _Seconds(NamedTuple):
    """For one row in its first epoch and in each later one."""

    first: float
    later: float


def estimate(scenario: Scenario, ready: Prepared, store: AdapterStore) -> list[Part]:
    """Time samples of training and deciding, and scale them to the run.

    The sample is small, so a part may well take a third less or more. Left out are the platform, measures and report
    (seconds a cell). Adapters that the store holds take no time, and opinion models next to none.

    Args:
        scenario: answered in this process.
        ready: of `prepare`.
        store: searched for adapters; nothing is written to it.

    Returns:
        The parts; none where all conditions are opinion models.

    Raises:
        ScenarioError: an engine or policy of which no sample can be taken here.
    """
    asking = [c for c in scenario.conditions if c not in OPINION_CONDITIONS]
    if not asking:
        return []
    if scenario.engine.kind != "local" or scenario.simulation.policy != "structured":
        raise ScenarioError(
            "engine.kind: estimates are made for local, with simulation.policy structured; time a small run "
            "instead: plures run with --set population.size=8 --set simulation.steps=1"
        )
    people, block = authors(ready.people), scenario.adapters
    with tempfile.TemporaryDirectory() as folder:
        sampled = AdapterStore(Path(folder) / "store")
        row, revisions = _training(scenario, ready, people, sampled)
        parts = []
        for name, jobs in _jobs(scenario, ready, people).items():
            rows = sum(len(job.rows) for job in jobs.values() if store.find(job.key) is None)
            seconds = rows * (row.first + (block.epochs - 1) * row.later)
            parts.append(Part(f"training, {name}", rows * block.epochs, "rows", seconds))
        own, base = _deciding(scenario, ready, sampled, revisions)
    decisions = sum(int(world.schedule.sum()) for world in ready.worlds.values())
    return parts + [
        Part(f"condition {c}", decisions, "decisions", decisions * (base if c == "shared_base" else own))
        for c in asking
    ]


def _jobs(scenario: Scenario, ready: Prepared, people: Sequence[Author]) -> dict[str, Mapping[str, Job]]:
    """What the conditions need to have trained, by kind."""
    block, community = scenario.adapters, ready.people.corpus.name
    jobs: dict[str, Mapping[str, Job]] = {}
    if needs_personal(scenario):
        jobs["personal adapters"] = personal_jobs(ready.base, people, block, community)
    if "one_for_all" in scenario.conditions:
        jobs["one adapter for all"] = {"pooled": pooled_job(ready.base, people, block, community)}
    return jobs


def _training(
    scenario: Scenario, ready: Prepared, people: Sequence[Author], store: AdapterStore
) -> tuple[_Seconds, list[str]]:
    """Seconds for a row, and the revisions that the sample left in `store`."""
    block, spent, revisions = scenario.adapters, [], {}
    few = [replace(a, posts=a.posts[: block.rows_per_step]) for a in people[:SAMPLED_USERS]]
    for epochs in (1, 2):
        shorter = block.model_copy(update={"epochs": epochs})
        jobs = personal_jobs(ready.base, few, shorter, ready.people.corpus.name)
        start = time.perf_counter()
        revisions = obtain(ready.base, jobs, store, Silent(), store.root / "training")
        spent.append(time.perf_counter() - start)
    rows = sum(len(author.posts) for author in few)
    return _Seconds(spent[0] / rows, max(0.0, spent[1] - spent[0]) / rows), list(revisions.values())


def _deciding(
    scenario: Scenario, ready: Prepared, store: AdapterStore, revisions: Sequence[str]
) -> tuple[float, float]:
    """Seconds for a decision under adapters, and under the base alone."""
    policy = StructuredPolicy(**scenario.simulation.sampling.model_dump())
    world = next(iter(ready.worlds.values()))
    seen = observations(scenario, world, world.population.agents[:SAMPLED_REQUESTS])

    def asked(adapters: Sequence[str | None]) -> list[GenerateRequest]:
        return [
            policy.observe(o, adapter=adapters[i % len(adapters)], seed=request_seed(world.seed, 1, i))
            for i, o in enumerate(seen)
        ]

    spent = []
    with closing(open_engine(scenario, ready.base, store)) as engine:
        for adapters in (revisions, [None]):
            start = time.perf_counter()
            engine.generate(asked(adapters))
            spent.append((time.perf_counter() - start) / len(seen))
    return spent[0], spent[1]
