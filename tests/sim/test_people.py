"""From scenario to people: sides are two, sizes nest, mistakes show before anything expensive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.errors import CorpusError, PopulationError
from sim.people import gather
from sim.scenario import Scenario
from sim.world import build_world


def _scenario(**population: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "people",
            "corpus": {"users": 20, "posts_per_user": 14},
            "population": {"size": 8, "train_posts": 8, "held_out_posts": 3, **population},
        }
    )


def _file(tmp_path: Path, sides: list[str | None]) -> Scenario:
    rows = [
        {"user": f"u{i}", "text": f"post {i} {k}", "time": f"2024-01-{k + 1:02}", "side": side}
        for i, side in enumerate(sides)
        for k in range(6)
    ]
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows), "utf-8")
    return Scenario.model_validate(
        {
            "name": "people",
            "corpus": {"kind": "file", "path": str(path)},
            "population": {"size": 4, "train_posts": 4, "held_out_posts": 1},
        }
    )


def test_smaller_populations_are_part_of_larger_ones() -> None:
    people = gather(_scenario(size=[4, 8, 16]))
    drawn = {n: {a.user_id for a in p} for n, p in people.populations.items()}
    assert drawn[4] < drawn[8] < drawn[16]


def test_sides_are_balanced_and_in_order() -> None:
    people = gather(_scenario())
    assert people.sides == ("supportive", "skeptical")
    assert sorted(a.side for a in people.populations[8]) == ["skeptical"] * 4 + ["supportive"] * 4


def test_too_large_a_population_says_how_many_there_are() -> None:
    with pytest.raises(PopulationError, match="20"):
        gather(_scenario(size=40))


def test_too_few_posts_says_what_to_lower() -> None:
    with pytest.raises(CorpusError, match="Lower train_posts"):
        gather(_scenario(train_posts=500))


def test_three_sides_need_a_choice(tmp_path: Path) -> None:
    scenario = _file(tmp_path, ["left", "left", "right", "right", "green", "green"])
    with pytest.raises(PopulationError, match=r"3 sides \(green, left, right\).*population\.sides"):
        gather(scenario)
    chosen = scenario.model_copy(
        update={"population": scenario.population.model_copy(update={"sides": ("left", "right")})}
    )
    people = gather(chosen)
    assert people.excluded["other_side"] == 2
    assert {a.side for a in people.populations[4]} == {"left", "right"}


def test_no_sides_names_the_column(tmp_path: Path) -> None:
    with pytest.raises(PopulationError, match=r"corpus\.columns\.side"):
        gather(_file(tmp_path, [None] * 4))


def test_seed_posts_come_from_training_posts_of_both_sides() -> None:
    scenario = _scenario()
    people = gather(scenario)
    world = build_world(scenario, people, 8, 0)
    sides = [world.population[post.agent_id].side for post in world.seed_posts]
    assert sides.count("supportive") == sides.count("skeptical") == 8
    for post in world.seed_posts:
        own = people.splits[world.population[post.agent_id].user_id].train
        assert post.text in {p.text for p in own}
