"""Everything before the first step: validate all, fit the stance scorer, obtain adapters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agents.bindings import AdapterRefs
from metrics.stance import StanceScorer
from sim.engines import check_engine
from sim.opinion_cell import opinion_model
from sim.people import People, gather
from sim.progress import Watcher
from sim.scenario import Scenario
from sim.scenario_base import open_scenario_base
from sim.stance import fit_scorer
from sim.workload import Workload, workload
from sim.world import World, build_world

if TYPE_CHECKING:
    from adapters.bases.loader import Base
    from adapters.store import AdapterStore
    from sim.training_jobs import Author

WorldKey = tuple[int, int]
"""Size and seed."""


@dataclass(frozen=True)
class Ground:
    """What training stands on: people, and a base that can carry their adapters."""

    people: People
    base: Base


@dataclass(frozen=True)
class Prepared(Ground):
    """A scenario ready to run, but for its adapters."""

    worlds: Mapping[WorldKey, World]
    scorer: StanceScorer
    workload: Workload | None
    """None where no decision prompt of ours is answered: opinion models alone, or OASIS's own agents."""


def prepare_training(scenario: Scenario) -> Ground:
    """Check and build what training needs, and nothing of the simulation.

    Raises:
        As `prepare`.
    """
    return Ground(gather(scenario), _base(scenario))


def prepare(scenario: Scenario) -> Prepared:
    """Check and build all that is cheap, so that every mistake shows before any adapter is trained.

    Raises:
        AgentsError: for a corpus, population or graph that cannot be as asked.
        BaseModelError: for a base that cannot be loaded.
        BaseMismatchError: for adapter targets that the base does not have.
        ServerError: for a vLLM server that cannot be had, or cannot serve these adapters.
        ScenarioError: for prompts that the base's context cannot hold.
        StanceError, EmbeddingError, JudgementError: for a stance scorer that cannot be had.
    """
    base, counted = _base(scenario), None
    people = gather(scenario)
    worlds = {
        (size, seed): build_world(scenario, people, size, seed)
        for size in scenario.population.size
        for seed in scenario.seeds
    }
    if has_language_agents(scenario):
        if scenario.simulation.policy == "structured":
            counted = workload(scenario, base, worlds)
        check_engine(scenario, base)
    return Prepared(people, base, worlds, fit_scorer(scenario, people, lambda: base), counted)


def check(scenario: Scenario) -> list[str]:
    """Prepare without training and say what was found, one line each."""
    ready = prepare(scenario)
    people, base = ready.people, ready.base
    left_out = {**people.corpus.excluded, **people.excluded}
    cells = len(scenario.conditions) * len(scenario.population.size) * len(scenario.seeds)
    record = ready.scorer.held_out
    adapters = len(everyone(people)) if needs_personal(scenario) else 0
    return [
        f"scenario {scenario.name}: {cells} cells of {scenario.simulation.steps} steps",
        f"corpus {people.corpus.name}: {len(people.splits)} usable people of {len(people.corpus)}"
        + "".join(f", {count} {reason}" for reason, count in left_out.items() if count),
        f"base {base.name}: {base.fingerprint[:12]}{' (toy)' if base.is_toy else ''}",
        f"personal adapters: {adapters} of rank {scenario.adapters.rank}"
        + (f", on decoder layers from {first} on" if (first := scenario.adapters.first_layer) else ""),
        f"stance scorer: {ready.scorer.kind}, {record.accuracy_user:.2f} of {record.n_users} held-out people on "
        f"their side, {record.accuracy_post:.2f} of posts",
        *(ready.workload.lines() if ready.workload else ()),
    ]


def everyone(people: People) -> list[str]:
    """User ids that occur in any population, sorted."""
    return sorted({agent.user_id for population in people.populations.values() for agent in population})


def authors(people: People) -> list[Author]:
    """Whoever needs an adapter, as seen by the prompt."""
    from sim.training_jobs import Author

    agents = {a.user_id: a for population in people.populations.values() for a in population}
    return [
        Author(user_id, agents[user_id].handle, agents[user_id].persona, _texts(people, user_id))
        for user_id in everyone(people)
    ]


def needs_personal(scenario: Scenario) -> bool:
    """Whether any condition uses people's own adapters."""
    return bool({"lora", "permuted"} & set(scenario.conditions))


def has_language_agents(scenario: Scenario) -> bool:
    """Whether any condition needs an engine: an opinion model needs none."""
    return any(opinion_model(condition) is None for condition in scenario.conditions)


def obtain_adapters(
    scenario: Scenario, ready: Ground, store: AdapterStore, watcher: Watcher, checkpoints: Path
) -> AdapterRefs:
    """Every adapter that the conditions need, trained now where the store has none."""
    from sim.adapter_supply import obtain, obtain_zero
    from sim.training_jobs import personal_jobs, pooled_job

    block, base, community = scenario.adapters, ready.base, ready.people.corpus.name
    people = authors(ready.people)
    own: Mapping[str, str] = {}
    if needs_personal(scenario):
        jobs = personal_jobs(base, people, block, community)
        own = obtain(base, jobs, store, watcher, checkpoints)
    pooled = zero = None
    if "one_for_all" in scenario.conditions:
        jobs = {"pooled": pooled_job(base, people, block, community)}
        pooled = obtain(base, jobs, store, watcher, checkpoints)["pooled"]
    if "zero" in scenario.conditions:
        zero = obtain_zero(base, block, store)
    return AdapterRefs(own=own, pooled=pooled, zero=zero)


def _base(scenario: Scenario) -> Base:
    """The base without its weights, after trying whether it has the adapters' targets."""
    from adapters.lora.layers import StackedLora

    base = open_scenario_base(scenario)
    StackedLora.attach(base.skeleton, scenario.adapters.spec, 1).detach()
    return base


def _texts(people: People, user_id: str) -> tuple[str, ...]:
    return tuple(post.text for post in people.splits[user_id].train)
