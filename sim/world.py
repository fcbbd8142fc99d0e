"""What all conditions of one size and seed share: people, follow graph, activation, seed posts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.activity import activation_schedule
from agents.edge_list import EdgeList, read_edge_list
from agents.follow_graph import homophilous_blocks, preferential_attachment
from agents.population import Population
from agents.text import clean_text
from sim.people import People
from sim.rng import generator
from sim.scenario import EdgeListGraph, GraphBlock, HomophilousGraph, PreferentialGraph, Scenario

USUAL_DEGREE = 8.0
"""People an agent follows where the scenario names no number and the population is large enough."""


class SeedPost(NamedTuple):
    """A post at step 0."""

    agent_id: int
    text: str


@dataclass(frozen=True)
class World:
    """Everything that conditions must not differ in.

    Args:
        seed: of the cell; also of feeds and decoding.
        population: the agents, ids 0 to N−1.
        follows: columns follower_id and followee_id.
        edges_left_out: reason → rows of the user's edge list that gave no edge; empty for drawn graphs.
        schedule: [steps, N], whether an agent acts at a step.
        seed_posts: in the order in which they are posted.
    """

    seed: int
    population: Population
    follows: pd.DataFrame
    edges_left_out: Mapping[str, int]
    schedule: NDArray[np.bool_]
    seed_posts: tuple[SeedPost, ...]


def build_world(scenario: Scenario, people: People, size: int, seed: int) -> World:
    """Draw the world of one size and seed."""
    population = people.populations[size]
    graph = _follows(scenario.follow_graph, population, generator(seed, "follow graph", size))
    return World(
        seed=seed,
        population=population,
        follows=graph.edges,
        edges_left_out=graph.excluded,
        schedule=activation_schedule(
            population, scenario.simulation.steps, generator(seed, "activation", size)
        ),
        seed_posts=_seed_posts(scenario, people, population, generator(seed, "seed posts", size)),
    )


def _follows(block: GraphBlock, population: Population, rng: np.random.Generator) -> EdgeList:
    sides = [agent.side for agent in population]
    match block:
        case HomophilousGraph(mean_degree=asked, homophily=homophily):
            degree = asked or min(USUAL_DEGREE, len(sides) / 4)
            return EdgeList(homophilous_blocks(sides, rng, mean_degree=degree, homophily=homophily), {})
        case PreferentialGraph(mean_degree=asked, homophily=homophily):
            degree = asked or min(USUAL_DEGREE, len(sides) / 4)
            return EdgeList(preferential_attachment(sides, rng, mean_degree=degree, homophily=homophily), {})
        case EdgeListGraph(path=path):
            return read_edge_list(path, population.agent_of)


def _seed_posts(
    scenario: Scenario, people: People, population: Population, rng: np.random.Generator
) -> tuple[SeedPost, ...]:
    """Half from each side; authors are drawn without repeats while there are enough, texts from training posts."""
    wanted = scenario.simulation.seed_posts
    posts = []
    for side, count in zip(people.sides, ((wanted + 1) // 2, wanted // 2), strict=True):
        members = [agent for agent in population.agents if agent.side == side]
        rounds = -(-count // len(members)) if members else 0
        order = (
            np.concatenate([rng.permutation(len(members)) for _ in range(rounds)])
            if rounds
            else np.empty(0, int)
        )
        for index in order[:count]:
            agent = members[int(index)]
            texts = people.splits[agent.user_id].train
            posts.append(SeedPost(agent.agent_id, clean_text(texts[int(rng.integers(len(texts)))].text)))
    return tuple(posts[i] for i in rng.permutation(len(posts)))
