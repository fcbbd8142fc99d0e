from __future__ import annotations

import pytest

from agents.decision import affordances
from agents.prompts import decision_prompt
from sim.platform_past import open_database_before
from sim.platform_tables import frames, read_tables
from sim.run_agents import feed_at, find_agent, finished_step
from sim.run_dir import CellDir, RunDir


@pytest.fixture
def cell(small_run: RunDir) -> CellDir:
    return small_run.cells()[0]


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_what_happened_at_a_step_and_later_is_not_there(cell: CellDir, step: int) -> None:
    now = read_tables(cell.database)
    with open_database_before(cell.database, step) as database:
        then = frames(database)
    assert len(then.users) == len(now.users)
    for table in ("posts", "likes", "dislikes", "comments", "follows"):
        kept, all_of_it = getattr(then, table), getattr(now, table)
        expected = all_of_it[all_of_it["created_at"] < step].reset_index(drop=True)
        counts = ["num_likes", "num_dislikes", "num_shares"] if table == "posts" else []
        assert kept.drop(columns=counts).equals(expected.drop(columns=counts)), table


def test_counts_are_those_of_the_moment_and_end_as_the_platform_has_them(cell: CellDir) -> None:
    now = read_tables(cell.database)
    with open_database_before(cell.database, finished_step(cell) + 1) as database:
        last = frames(database).posts
    assert last.equals(now.posts)
    with open_database_before(cell.database, 1) as database:
        first = frames(database).posts
    assert first[["num_likes", "num_dislikes", "num_shares"]].to_numpy().sum() == 0


def test_every_prompt_of_a_run_can_be_made_again_from_its_database(small_run: RunDir) -> None:
    """Likes, marks and follows of each moment are rebuilt so exactly that no letter of any prompt differs."""
    asked = 0
    for cell in small_run.cells():
        for row in cell.ledger.read(["step", "agent_id", "feed", "prompt"]).itertuples():
            agent = find_agent(small_run, cell.key.size, row.agent_id)
            feed = feed_at(cell, row.agent_id, row.step, row.feed)
            open_to = affordances(feed, small_run.scenario.simulation.actions)
            messages = decision_prompt(agent.handle, agent.persona, feed, open_to)
            assert "\n".join(message.content for message in messages) == row.prompt
            asked += 1
    assert asked > 50
