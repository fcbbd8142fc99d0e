"""Whom to interview, and when: an agent at a moment of one cell, and the voices in which it can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.decision import FeedEntry
from agents.population import Agent
from sim.cell import CellKey
from sim.errors import InterviewError
from sim.interview.exchange import Voice
from sim.run_agents import find_agent, find_cell, finished_step, language_cells, last_seen
from sim.run_dir import CellDir, RunDir

BASE_VOICE = "shared_base"
OWN_VOICE = "lora"


@dataclass(frozen=True)
class Scene:
    """An agent at a moment.

    Args:
        cell: in whose history the moment lies.
        agent: who is asked.
        step: the moment, after that step.
        seen_at: step at which the agent acted last; 0 when it had not acted yet.
        feed: what it saw then.
        also: conditions that were asked for beside those that always answer.
        voices: who answers.
    """

    cell: CellKey
    agent: Agent
    step: int
    seen_at: int
    feed: tuple[FeedEntry, ...]
    also: tuple[str, ...]
    voices: tuple[Voice, ...]

    def as_plain(self) -> dict[str, Any]:
        """The part of a transcript's line that says where we are."""
        return {
            "cell": self.cell.id,
            "agent_id": self.agent.agent_id,
            "handle": self.agent.handle,
            "step": self.step,
            "seen_at": self.seen_at,
            "feed": [entry.post_id for entry in self.feed],
            "also": list(self.also),
        }


def find_scene(
    run: RunDir,
    who: str | int,
    *,
    cell: str | None = None,
    step: int | None = None,
    also: Sequence[str] = (),
) -> Scene:
    """Rebuild a moment.

    Args:
        run: finished or not.
        who: handle, agent id or user id.
        cell: such as `lora-n64-s0`; None takes the first that has begun.
        step: at least 0; None takes the last finished step.
        also: further conditions, whose adapter for this agent answers too.

    Raises:
        RunAgentError: for a cell or an agent that the run does not have.
        InterviewError: for a step or condition that it does not have.
        RunDirError: for files that are missing or damaged.
    """
    chosen = find_cell(run, cell)
    agent = find_agent(run, chosen.key.size, who)
    last = finished_step(chosen)
    if step is not None and not 0 <= step <= last:
        raise InterviewError(f"step: got {step}; {chosen.key.id} has steps 0 to {last}")
    moment = last if step is None else step
    seen = last_seen(chosen, agent.agent_id, moment)
    further = tuple(also)
    voices = _voices(run, chosen, agent, further)
    return Scene(chosen.key, agent, moment, seen.step, seen.feed, further, voices)


def _voices(run: RunDir, cell: CellDir, agent: Agent, also: tuple[str, ...]) -> tuple[Voice, ...]:
    """The cell's own, the bare base (in a cell of the base, the agent's own adapter), then what was asked for."""
    adapter = cell.read_bindings()[agent.agent_id]
    voices: dict[str, Voice] = {cell.key.condition: Voice(cell.key.condition, adapter)}
    if adapter is not None:
        voices[BASE_VOICE] = Voice(BASE_VOICE, None)
    elif own := run.manifest.get("adapters", {}).get("own", {}).get(agent.user_id):
        voices[OWN_VOICE] = Voice(OWN_VOICE, own)
    beside: dict[str, CellDir] = {
        other.key.condition: other
        for other in language_cells(run)
        if (other.key.size, other.key.seed) == (cell.key.size, cell.key.seed)
    }
    for condition in also:
        if condition not in beside:
            raise InterviewError(
                f"condition {condition!r}: not in this run at N = {cell.key.size} and seed {cell.key.seed}; "
                f"it has {', '.join(beside)}"
            )
        other = Voice(condition, beside[condition].read_bindings()[agent.agent_id])
        voices.setdefault(condition, other)
    return tuple(voices.values())
