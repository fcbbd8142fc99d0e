from __future__ import annotations

import pytest

from sim.errors import RunAgentError
from sim.run_agents import find_agent, find_cell, finished_step, language_cells, last_seen
from sim.run_dir import RunDir


def test_an_agent_is_found_by_handle_id_and_user_id(small_run: RunDir) -> None:
    row = small_run.read_population(8).iloc[5]
    by_handle = find_agent(small_run, 8, f"@{row['handle']}")
    assert by_handle.agent_id == 5
    assert by_handle.persona == row["persona"]
    assert by_handle == find_agent(small_run, 8, 5) == find_agent(small_run, 8, "5")
    assert by_handle == find_agent(small_run, 8, row["user_id"])


def test_an_unknown_agent_is_refused_with_what_would_do(small_run: RunDir) -> None:
    with pytest.raises(RunAgentError, match=r"no agent 'nobody' among 8; .* an agent id from 0 to 7"):
        find_agent(small_run, 8, "nobody")


def test_cells_are_found_by_name_and_the_first_by_default(small_run: RunDir) -> None:
    assert find_cell(small_run).key.id == "lora-n8-s0"
    assert find_cell(small_run, "zero-n8-s1").key.id == "zero-n8-s1"
    assert finished_step(find_cell(small_run)) == 2
    with pytest.raises(RunAgentError, match=r"no cell 'lora' of language agents; it has lora-n8-s0"):
        find_cell(small_run, "lora")


def test_a_run_that_has_not_begun_has_no_cells(small_run: RunDir) -> None:
    empty = RunDir(small_run.path / "nowhere")
    empty.__dict__["manifest"] = small_run.manifest
    assert language_cells(empty) == []
    with pytest.raises(RunAgentError, match="no cell with language agents has begun yet"):
        find_cell(empty)


def test_an_agent_last_saw_the_feed_of_the_step_at_which_it_acted_last(small_run: RunDir) -> None:
    cell = find_cell(small_run)
    ledger = cell.ledger.read(["step", "agent_id", "feed"])
    for agent_id in range(8):
        own = ledger[ledger["agent_id"] == agent_id]
        seen = last_seen(cell, agent_id, 2)
        assert seen.step == (own["step"].max() if len(own) else 0)
        assert [entry.post_id for entry in seen.feed] == (list(own["feed"].iloc[-1]) if len(own) else [])
        assert last_seen(cell, agent_id, 0) == (0, ())
