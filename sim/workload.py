"""What a scenario will ask of its base, counted before anything runs, so that what cannot fit shows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.decision import FeedEntry, affordances
from agents.opinion.models import OPINION_CONDITIONS
from agents.policy import Observation
from agents.population import Agent
from agents.prompts import decision_prompt
from sim.errors import ScenarioError
from sim.scenario import Scenario
from sim.world import World

if TYPE_CHECKING:
    from adapters.bases.loader import Base

SAMPLED_AGENTS = 16
"""Agents whose prompts are encoded to know how long prompts are."""


class Prompts(NamedTuple):
    """How long decision prompts are, in tokens.

    Args:
        mean: with a full feed of seed posts.
        longest: with a feed of the longest seed posts.
    """

    mean: float
    longest: int


@dataclass(frozen=True)
class Workload:
    """Counts of a whole scenario.

    Args:
        requests: decisions asked of the base, over all cells.
        prompts: their length; later feeds hold agents' own posts, which are shorter or longer.
        weights_gib: the base in this process.
        cache_gib: the local engine's keys and values at its full `token_budget`.
        memory_gib: of this machine, not in use now.
    """

    requests: int
    prompts: Prompts
    weights_gib: float
    cache_gib: float
    memory_gib: float

    def lines(self) -> list[str]:
        """In sentences, for `plures validate`."""
        return [
            f"decisions: {self.requests:,}, prompts of about {self.prompts.mean:.0f} tokens, the longest "
            f"{self.prompts.longest} at step 1",
            f"memory: {self.weights_gib:.1f} GiB of weights and up to {self.cache_gib:.1f} GiB of attention cache in "
            f"this process; {self.memory_gib:.1f} GiB are free",
        ]


def workload(scenario: Scenario, base: Base, worlds: Mapping[tuple[int, int], World]) -> Workload:
    """Count what the cells of language agents ask for.

    Args:
        scenario: with at least one condition that is no opinion model.
        base: with its tokenizer; the weights are not needed.
        worlds: (size, seed) → world.

    Raises:
        ScenarioError: when a prompt of the first step cannot fit the base's context with a reply behind it.
    """
    speaking = sum(condition not in OPINION_CONDITIONS for condition in scenario.conditions)
    prompts = _prompts(scenario, base, worlds)
    _check_context(scenario, base, prompts.longest)
    return Workload(
        requests=speaking * sum(int(world.schedule.sum()) for world in worlds.values()),
        prompts=prompts,
        weights_gib=sum(p.numel() for p in base.skeleton.parameters()) * _item_bytes(scenario) / 2**30,
        cache_gib=_cache_bytes(scenario, base) / 2**30,
        memory_gib=_free_gib(),
    )


def observations(scenario: Scenario, world: World, agents: Sequence[Agent]) -> list[Observation]:
    """What `agents` would see with a full feed of seed posts, each at another place of them."""
    size, block = scenario.simulation.feed.size, scenario.simulation
    posts = _entries(world)
    seen = []
    for place, agent in enumerate(agents):
        feed = tuple(posts[(place + i) % len(posts)] for i in range(min(size, len(posts))))
        seen.append(Observation(1, agent, feed, affordances(feed, block.actions)))
    return seen


def _entries(world: World) -> list[FeedEntry]:
    return [
        FeedEntry(post_id, post.agent_id, world.population[post.agent_id].handle, post.text)
        for post_id, post in enumerate(world.seed_posts, 1)
    ]


def _prompts(scenario: Scenario, base: Base, worlds: Mapping[tuple[int, int], World]) -> Prompts:
    block, lengths, longest = scenario.simulation, [], 0
    for world in worlds.values():
        some = list(world.population)[:SAMPLED_AGENTS]
        lengths += [_length(base, seen) for seen in observations(scenario, world, some)]
        wordiest = max(world.population, key=lambda agent: len(agent.handle) + len(agent.persona))
        by_length = sorted(_entries(world), key=lambda entry: -len(base.encoder.text_ids(entry.text)))
        feed = tuple(by_length[: block.feed.size])
        worst = Observation(1, wordiest, feed, affordances(feed, block.actions))
        longest = max(longest, _length(base, worst))
    return Prompts(float(np.mean(lengths)), longest)


def _length(base: Base, seen: Observation) -> int:
    agent = seen.agent
    return len(base.encoder.prompt_ids(decision_prompt(agent.handle, agent.persona, seen.feed, seen.open_to)))


def _check_context(scenario: Scenario, base: Base, longest: int) -> None:
    reply = scenario.simulation.sampling.max_new_tokens
    limits = {"context": base.longest}
    if scenario.engine.kind == "local":
        limits["engine.token_budget"] = scenario.engine.token_budget
    for what, limit in limits.items():
        if longest + reply > limit:
            where = f"base {base.name} takes" if what == "context" else f"{what} holds"
            raise ScenarioError(
                f"simulation.feed.size: with the {scenario.simulation.feed.size} longest seed posts a prompt has "
                f"{longest} tokens, and {longest + reply} with simulation.sampling.max_new_tokens; {where} {limit}. "
                "Lower one of the two, or leave long posts out of the corpus."
            )


def _item_bytes(scenario: Scenario) -> int:
    return 4 if scenario.engine.dtype == "float32" else 2


def _cache_bytes(scenario: Scenario, base: Base) -> int:
    if scenario.engine.kind != "local":
        return 0
    config = base.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    a_token = 2 * config.num_hidden_layers * heads * dim * _item_bytes(scenario)
    return int(a_token * scenario.engine.token_budget)


def _free_gib() -> float:
    import psutil

    return float(psutil.virtual_memory().available) / 2**30
