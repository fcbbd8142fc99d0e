"""OASIS's own agents, each bound to one served adapter; what they call is recorded and goes nowhere.

CAMEL's model and token counter are stood in for by classes of the same methods, not derived from its own, so that
nothing of CAMEL is imported before an agent is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.engines.protocol import Message, Sampling, TextEncoder
from adapters.engines.vllm.client import bodies
from adapters.engines.vllm.client.answers import ChatCompletion as Answer
from adapters.engines.vllm.client.client import VllmClient
from agents.decision import Action
from sim.oasis_import import load_oasis

if TYPE_CHECKING:
    from camel.types import ChatCompletion

_TURN_TOKENS = 8
"""What a chat template adds to a turn, generously."""


class BaseTokens:
    """Counts with the base's own tokenizer; CAMEL's default would download an encoding.

    Args:
        encoder: of the base.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder

    def count_tokens_from_messages(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """An upper bound for messages of plain text."""
        return sum(_TURN_TOKENS + len(self.encode(str(m.get("content") or ""))) for m in messages)

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return list(self._encoder.text_ids(text))


class ServedModel:
    """The model of one adapter on a server, asked through the engine's own client; keeps the last answer.

    Args:
        client: of the server.
        name: that the adapter is served under: this model and no other.
        tokens: counts.
        context: tokens that the base can attend to. CAMEL would take `max_tokens` for it, and fall silent.

    Attributes:
        model_type, model_config_dict, token_counter, token_limit: what CAMEL asks a model for.
    """

    def __init__(self, client: VllmClient, name: str, tokens: BaseTokens, context: int) -> None:
        self._client = client
        self.model_type, self.model_config_dict = name, dict[str, Any]()
        self.token_counter, self.token_limit = tokens, context
        self.sampling = Sampling()
        self.answer: Answer | None = None

    async def arun(
        self,
        messages: Sequence[Mapping[str, Any]],
        _response_format: object = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> ChatCompletion:
        """Ask the server; CAMEL's agents call this."""
        turns = [Message(m["role"], m["content"]) for m in messages]
        body = bodies.chat(self.model_type, turns, self.sampling, None) | {
            "tools": [_lenient(tool) for tool in tools or ()]
        }
        self.answer = await self._client.chat(body)
        return _for_camel(self.answer)


class DeadEnd:
    """A channel whose platform says yes to everything and does nothing: Plures applies decisions itself, in order."""

    async def write_to_receive_queue(self, message: tuple[int, Any, str]) -> tuple[int, Any, str]:
        """Take an action."""
        return message

    async def read_from_send_queue(self, message: tuple[int, Any, str]) -> tuple[str, int, dict[str, Any]]:
        """The answer to it."""
        return ("", message[0], {"success": True})


class BoundAgent:
    """A `SocialAgent` under one adapter, without memory of earlier steps.

    Args:
        agent_id: a number of its own.
        system: its system message.
        model: bound to its adapter's name.
        actions: the tools that it is offered.
    """

    def __init__(self, agent_id: int, system: str, model: ServedModel, actions: Sequence[Action]) -> None:
        oasis = load_oasis()
        from camel.models import ModelManager
        from camel.prompts import TextPrompt

        self._model, self._busy = model, asyncio.Lock()
        self._agent = oasis.SocialAgent(
            agent_id,
            oasis.UserInfo(profile={"system": system}),
            TextPrompt("{system}"),
            channel=DeadEnd(),
            model=ModelManager(model),
            available_actions=[oasis.ActionType(str(action)) for action in actions],
        )

    async def ask(self, user: str, sampling: Sampling) -> Answer:
        """Show the agent a message and let it call a tool.

        Raises:
            ServerError: as of `VllmClient.complete`.
        """
        from camel.messages import BaseMessage

        async with self._busy:
            self._model.answer, self._model.sampling = None, sampling
            self._agent.reset()
            try:
                await self._agent.astep(BaseMessage.make_user_message("User", user))
            except (KeyError, ValueError, RecursionError):
                if self._model.answer is None:
                    raise
                # CAMEL stumbles over unknown tools and arguments that are no JSON; who reads the answer will say so.
            assert self._model.answer is not None, "an agent asks once in every step"
            return self._model.answer


def _lenient(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool without `strict`: of that, vLLM 0.27.1 makes a grammar that its guidance backend fails at (status 500)."""
    return {**tool, "function": {key: value for key, value in tool["function"].items() if key != "strict"}}


def _for_camel(answer: Answer) -> ChatCompletion:
    """The answer in the client library's own type, with what CAMEL looks at."""
    from camel.types import ChatCompletion

    (choice,) = answer.choices
    calls = [
        {
            "id": c.id,
            "type": "function",
            "function": {"name": c.function.name, "arguments": c.function.arguments},
        }
        for c in choice.message.tool_calls or ()
    ]
    message = {"role": "assistant", "content": choice.message.content, "tool_calls": calls or None}
    return ChatCompletion.model_validate(
        {
            "id": "",
            "object": "chat.completion",
            "created": 0,
            "model": answer.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        }
    )
