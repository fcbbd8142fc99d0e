"""How an agent turns what it sees into a request, and the reply into a decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from adapters.engines.protocol import GenerateRequest, GenerateResult, Sampling
from agents.decision import Affordances, Decision, FeedEntry
from agents.errors import DecisionError
from agents.population import Agent
from agents.prompts import decision_prompt
from agents.reply import parse_reply, reply_grammar


@dataclass(frozen=True, slots=True)
class Observation:
    """What one agent has before it at one step.

    Args:
        step: acting step, from 1.
        agent: who looks.
        feed: what it sees, best first.
        open_to: what it can do, from `agents.decision.affordances`.
    """

    step: int
    agent: Agent
    feed: tuple[FeedEntry, ...]
    open_to: Affordances

    @property
    def request_id(self) -> str:
        """`3/17`: step and agent, unique in a run."""
        return f"{self.step}/{self.agent.agent_id}"


class Policy(Protocol):
    """A way of deciding; it holds no state between steps."""

    def observe(self, observation: Observation, *, adapter: str | None, seed: int) -> GenerateRequest:
        """Ask for a reply under `adapter` (None: the bare base), drawn with `seed`."""
        ...

    def decide(self, observation: Observation, result: GenerateResult) -> Decision:
        """Read the reply to the request that `observe` made of the same observation.

        Raises:
            DecisionError: when there is no decision in it; `kind` goes to the ledger.
        """
        ...


@dataclass(frozen=True, slots=True)
class StructuredPolicy:
    """The decision prompt, and a reply that a grammar holds to the decision format.

    Args:
        max_chars: longest text of a post, in characters, at least 1.
        max_new_tokens: longest reply, in tokens, at least 1; a reply cut there is a `truncated` failure.
        temperature: 0 is greedy.
        top_p: nucleus mass in (0, 1].
    """

    max_chars: int
    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0

    def observe(self, observation: Observation, *, adapter: str | None, seed: int) -> GenerateRequest:
        """The request: one prompt and grammar whatever the adapter is."""
        agent = observation.agent
        return GenerateRequest(
            request_id=observation.request_id,
            prompt=decision_prompt(agent.handle, agent.persona, observation.feed, observation.open_to),
            adapter=adapter,
            sampling=Sampling(self.max_new_tokens, self.temperature, self.top_p, seed),
            grammar=reply_grammar(observation.open_to, self.max_chars),
        )

    def decide(self, observation: Observation, result: GenerateResult) -> Decision:
        """The decision.

        Raises:
            DecisionError: kind `engine_…` when the engine failed, `truncated` when the reply was cut at
                `max_new_tokens`, else as `agents.reply.parse_reply` says.
        """
        return parse_reply(checked(result), observation.feed, observation.open_to)


@dataclass(frozen=True, slots=True)
class ScriptedPolicy:
    """Decides by a function of the observation, whatever text the engine replies; for tests.

    Args:
        script: may raise DecisionError to play a failure.
    """

    script: Callable[[Observation], Decision]

    def observe(self, observation: Observation, *, adapter: str | None, seed: int) -> GenerateRequest:
        """A request that any engine can answer cheaply."""
        agent = observation.agent
        return GenerateRequest(
            request_id=observation.request_id,
            prompt=decision_prompt(agent.handle, agent.persona, observation.feed, observation.open_to),
            adapter=adapter,
            sampling=Sampling(max_new_tokens=1, temperature=0.0, seed=seed),
        )

    def decide(self, observation: Observation, result: GenerateResult) -> Decision:
        """What the script says.

        Raises:
            DecisionError: kind `engine_…` when the engine failed, or whatever the script raises.
        """
        _refuse_engine_error(result)
        return self.script(observation)


def checked(result: GenerateResult) -> str:
    """The text of a reply that came, and came whole.

    Raises:
        DecisionError: kind `engine_…` when the engine failed, `truncated` when the reply was cut.
    """
    _refuse_engine_error(result)
    if result.finish_reason == "length":
        raise DecisionError(
            "truncated", f"the reply was cut after {result.completion_tokens} tokens: {result.text!r}"
        )
    return result.text


def _refuse_engine_error(result: GenerateResult) -> None:
    if result.error is not None:
        raise DecisionError(f"engine_{result.error.kind}", result.error.message)
