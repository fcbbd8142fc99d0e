"""OASIS's own agents, each bound to one served adapter; what they call is recorded and goes nowhere.

To be imported after `sim.oasis_import.load_oasis`, which sees to it that OASIS and CAMEL come up quietly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from camel.messages import BaseMessage
from camel.models import BaseModelBackend
from camel.prompts import TextPrompt
from camel.types import ChatCompletion
from camel.utils import BaseTokenCounter

from adapters.engines.protocol import Message, Sampling, TextEncoder
from adapters.engines.vllm.client import bodies
from adapters.engines.vllm.client.answers import ChatCompletion as Answer
from adapters.engines.vllm.client.client import VllmClient
from agents.decision import Action
from sim.oasis_import import load_oasis

_TURN_TOKENS = 8
"""What a chat template adds to a turn, generously."""


class BaseTokens(BaseTokenCounter):  # type: ignore[misc]  # CAMEL ships no types
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

    def decode(self, token_ids: list[int]) -> NoReturn:
        """Refuse: CAMEL declares it, nobody calls it.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{len(token_ids)} ids: this counter only counts")


class ServedModel(BaseModelBackend):  # type: ignore[misc]  # likewise
    """CAMEL's model of one adapter on a server, asked through the engine's own client; keeps the last answer.

    Args:
        client: of the server.
        name: that the adapter is served under: this model and no other.
        tokens: counts.
        context: tokens that the base can attend to. CAMEL would take `max_tokens` for it, and fall silent.
    """

    def __init__(self, client: VllmClient, name: str, tokens: BaseTokens, context: int) -> None:
        super().__init__(name, {}, token_counter=tokens)
        self._client, self._name, self._tokens, self._context = client, name, tokens, context
        self.sampling = Sampling()
        self.answer: Answer | None = None

    @property
    def token_counter(self) -> BaseTokens:
        """Counts offline."""
        return self._tokens

    @property
    def token_limit(self) -> int:
        """Tokens of prompt and reply."""
        return self._context

    def _run(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(f"{self._name}: agents are asked asynchronously only")

    async def _arun(
        self,
        messages: Sequence[Mapping[str, Any]],
        _response_format: object = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> ChatCompletion:
        turns = [Message(m["role"], m["content"]) for m in messages]
        body = bodies.chat(self._name, turns, self.sampling, None) | {
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
        self._model, self._busy = model, asyncio.Lock()
        self._agent = oasis.SocialAgent(
            agent_id,
            oasis.UserInfo(profile={"system": system}),
            TextPrompt("{system}"),
            channel=DeadEnd(),
            model=model,
            available_actions=[oasis.ActionType(str(action)) for action in actions],
        )

    async def ask(self, user: str, sampling: Sampling) -> Answer:
        """Show the agent a message and let it call a tool.

        Raises:
            ServerError: as of `VllmClient.complete`.
        """
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
