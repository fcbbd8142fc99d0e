"""The step loop: decisions reach the platform in order, failures reach the ledger, interruptions change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adapters.engines.protocol import GenerateRequest, GenerateResult, RequestError, ScoreRequest, ScoreResult
from agents.decision import ALL_ACTIONS, Action, Decision
from agents.errors import DecisionError
from agents.policy import Observation, ScriptedPolicy, StructuredPolicy
from sim.cell import CellKey
from sim.feeds import FeedPolicy
from sim.people import gather
from sim.platform_tables import read_tables
from sim.progress import Silent
from sim.run_dir import CellDir
from sim.scenario import Scenario
from sim.simulation import Simulation
from sim.world import World, build_world

SCENARIO = Scenario.model_validate(
    {
        "name": "loop",
        "corpus": {"kind": "synthetic", "users": 12, "posts_per_user": 12},
        "population": {"size": 10, "train_posts": 6, "held_out_posts": 2},
        "follow_graph": {"mean_degree": 3},
        "simulation": {"steps": 4, "seed_posts": 5},
    }
)


class Mute:
    """Answers every request with an empty reply; can fail requests or die at a call."""

    def __init__(self, fail: Sequence[str] = (), die_at: int | None = None) -> None:
        self.batches: list[list[GenerateRequest]] = []
        self._fail = set(fail)
        self._die_at = die_at

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        self.batches.append(list(requests))
        if len(self.batches) == self._die_at:
            raise KeyboardInterrupt
        error = RequestError("engine", "broken")
        return [
            GenerateResult(
                r.request_id, "", (5,), (-1.0,), "stop", 3, error if r.request_id in self._fail else None
            )
            for r in requests
        ]

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        raise AssertionError("a simulation never scores")

    def close(self) -> None: ...


def _script(observation: Observation) -> Decision:
    agent, feed = observation.agent.agent_id, observation.feed
    match (observation.step + agent) % 4:
        case 0 if Action.LIKE_POST in observation.open_to.actions:
            place = observation.open_to.posts[Action.LIKE_POST][0]
            return Decision(Action.LIKE_POST, post_id=feed[place - 1].post_id)
        case 1 if feed:
            return Decision(Action.CREATE_COMMENT, post_id=feed[0].post_id, content=f"word {agent}")
        case 2:
            raise DecisionError("malformed", "no JSON")
        case _:
            return Decision(Action.CREATE_POST, content=f"post {agent} {observation.step}")


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(SCENARIO, gather(SCENARIO), 10, 0)


def _simulation(world: World, engine: Mute, **changes: object) -> Simulation:
    simulation = Simulation(
        world=world,
        bindings={agent.agent_id: None for agent in world.population},
        engine=engine,
        policy=ScriptedPolicy(_script),
        feed=FeedPolicy("following+interest", 3, 5),
        actions=ALL_ACTIONS,
    )
    return replace(simulation, **changes)  # type: ignore[arg-type]


def _cell(path: Path) -> CellDir:
    return CellDir(CellKey(10, 0, "lora"), path)


def test_ledger_has_a_row_for_every_activation(world: World, tmp_path: Path) -> None:
    cell = _cell(tmp_path)
    _simulation(world, Mute()).run(cell, Silent())
    ledger = cell.ledger.read()
    steps, agents = np.nonzero(world.schedule)
    assert list(zip(ledger.step - 1, ledger.agent_id, strict=True)) == list(zip(steps, agents, strict=True))
    assert set(ledger.outcome) == {"done", "malformed"}
    assert (ledger.ok == (ledger.outcome == "done")).all()


def test_done_rows_stand_on_the_platform(world: World, tmp_path: Path) -> None:
    cell = _cell(tmp_path)
    _simulation(world, Mute()).run(cell, Silent())
    done, tables = cell.ledger.read().query("ok"), read_tables(cell.database)
    assert (done.action == "create_post").sum() == (tables.posts.created_at > 0).sum()
    assert (done.action == "create_comment").sum() == len(tables.comments)
    assert (done.action == "like_post").sum() == len(tables.likes)
    assert len(tables.follows) == len(world.follows)
    assert (tables.posts.created_at == 0).sum() == 5


def test_interrupted_and_resumed_equals_uninterrupted(world: World, tmp_path: Path) -> None:
    """Ctrl-C inside step 3, then a new process: the same ledger, byte for byte, and the same database."""
    whole, parts = _cell(tmp_path / "whole"), _cell(tmp_path / "parts")
    _simulation(world, Mute()).run(whole, Silent())
    with pytest.raises(KeyboardInterrupt):
        _simulation(world, Mute(die_at=3)).run(parts, Silent())
    assert set(parts.ledger.read().step) == {1, 2}
    _simulation(world, Mute()).run(parts, Silent())
    assert (whole.path / "ledger.parquet").read_bytes() == (parts.path / "ledger.parquet").read_bytes()
    for before, after in zip(read_tables(whole.database), read_tables(parts.database), strict=True):
        pd.testing.assert_frame_equal(before, after)


def test_conditions_share_everything_but_the_adapter(world: World, tmp_path: Path) -> None:
    one, other = Mute(), Mute()
    _simulation(world, one).run(_cell(tmp_path / "a"), Silent())
    _simulation(world, other, bindings={a.agent_id: "f" * 64 for a in world.population}).run(
        _cell(tmp_path / "b"), Silent()
    )
    for left, right in zip(one.batches, other.batches, strict=True):
        assert [replace(r, adapter=None) for r in right] == left
        assert all(r.adapter == "f" * 64 for r in right)


def test_engine_errors_are_rows_not_crashes(world: World, tmp_path: Path) -> None:
    step, agent = (int(x[0]) for x in np.nonzero(world.schedule))
    cell = _cell(tmp_path)
    policy = StructuredPolicy(max_chars=20, max_new_tokens=8)
    _simulation(world, Mute(fail=[f"{step + 1}/{agent}"]), policy=policy).run(cell, Silent())
    first = cell.ledger.read().iloc[0]
    assert (first.outcome, first.ok, first.error) == ("engine_engine", False, "broken")
    assert set(cell.ledger.read().outcome[1:]) == {"malformed"}


def test_same_seed_same_world_other_seed_another() -> None:
    people = gather(SCENARIO)
    again, other = build_world(SCENARIO, people, 10, 0), build_world(SCENARIO, people, 10, 1)
    first = build_world(SCENARIO, people, 10, 0)
    pd.testing.assert_frame_equal(first.follows, again.follows)
    assert first.seed_posts == again.seed_posts
    assert (first.schedule == again.schedule).all()
    assert first.seed_posts != other.seed_posts
    assert first.population == other.population
