"""Deciding by tool calls: the observation with the platform's own ids, and a reply that calls one tool."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.engines.protocol import GenerateRequest, GenerateResult, Message, Sampling
from agents.decision import Affordances, Decision, FeedEntry
from agents.policy import Observation, checked
from agents.prompts import feed_line, introduction
from agents.tool_calls import ToolReply, parse_tool_reply

INSTRUCTION = "Choose one action, and perform it by calling one tool, once."


def tool_prompt(
    handle: str, persona: str, feed: tuple[FeedEntry, ...], open_to: Affordances
) -> tuple[Message, ...]:
    """The chat messages under which an agent calls a tool; the arguments are as for `decision_prompt`.

    Entries are numbered by post id, and a last line names the ids of those who can be followed.
    """
    lines = ["Feed, by post_id:", *(feed_line(e.post_id, e) for e in feed)] if feed else ["Feed: empty"]
    followees = {e.handle: e.author_id for e in feed if e.handle in open_to.handles}
    if followees:
        lines.append(
            "Users: " + ", ".join(f"@{handle} is {user_id}" for handle, user_id in followees.items())
        )
    lines.append("Tools: " + ", ".join(open_to.actions))
    return (
        Message("system", f"{introduction(handle, persona)}\n{INSTRUCTION}"),
        Message("user", "\n".join(lines)),
    )


@dataclass(frozen=True, slots=True)
class ToolCallingPolicy:
    """For models that can call tools, on an engine that offers them (`sim.tool_calling`).

    Args:
        max_chars: longest text of a post, in characters, at least 1; a longer one is a `too_long` failure.
        max_new_tokens: longest reply, in tokens, at least 1; a reply cut there is a `truncated` failure.
        temperature: 0 is greedy.
        top_p: nucleus mass in (0, 1].
    """

    max_chars: int
    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0

    def observe(self, observation: Observation, *, adapter: str | None, seed: int) -> GenerateRequest:
        """The request: one prompt whatever the adapter is; no grammar, for the tools' own schema holds."""
        agent = observation.agent
        return GenerateRequest(
            request_id=observation.request_id,
            prompt=tool_prompt(agent.handle, agent.persona, observation.feed, observation.open_to),
            adapter=adapter,
            sampling=Sampling(self.max_new_tokens, self.temperature, self.top_p, seed),
        )

    def decide(self, observation: Observation, result: GenerateResult) -> Decision:
        """The decision.

        Raises:
            DecisionError: kind `engine_…` when the engine failed, `truncated` when the reply was cut at
                `max_new_tokens`, else as `agents.tool_calls.parse_tool_reply` says.
        """
        text = checked(result)
        return parse_tool_reply(ToolReply.read(text), observation.feed, observation.open_to, self.max_chars)
