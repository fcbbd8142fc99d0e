"""Requests put to OASIS's own agents instead of straight to the server; their tool calls are the replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.engines.protocol import GenerateRequest, GenerateResult, Message, Sampling
from adapters.engines.validation import RefusedError
from adapters.engines.vllm.client import bodies
from adapters.engines.vllm.client.answers import ChatCompletion, read_reply
from adapters.engines.vllm.client.client import VllmClient
from adapters.engines.vllm.client.faults import RejectedError, UnansweredError
from adapters.engines.vllm.speech import Asked
from adapters.engines.vllm.tokens import TokenSpeech
from adapters.errors import ServerError
from agents.decision import Action
from agents.tool_calls import ToolCall, ToolReply
from sim.oasis_import import load_oasis
from sim.tool_calling.social_agents import BaseTokens, BoundAgent, ServedModel

if TYPE_CHECKING:
    from adapters.bases.loader import Base

_PROBE_TOOL = {
    "type": "function",
    "function": {"name": "do_nothing", "parameters": {"type": "object", "properties": {}}},
}


class ToolSpeech(TokenSpeech):
    """The `VllmEngine`'s way of asking under `agents.tool_policy`; the `text` of a result is a `ToolReply`.

    One `SocialAgent` for each pair of user and adapter, made when it is first asked and bound to exactly one model:
    its adapter's name on the server. It remembers nothing from step to step, so that a run can be resumed and
    conditions differ in the adapter alone. Its calls are not carried out: they come back as the reply, and the
    platform applies decisions in its own order. Scores are taken as by any other engine.

    The server makes the prompt's tokens itself here, special ones included, so their spellings are broken up in
    whatever is shown to an agent.

    Args:
        base: that the server serves.
        context: tokens of prompt and reply that the server takes.
        actions: the tools that agents are offered.
    """

    def __init__(self, base: Base, context: int, actions: Sequence[Action]) -> None:
        super().__init__(base, context)
        load_oasis()  # it takes seconds, which the event loop should not wait for
        self._context, self._actions = min(base.longest, context), tuple(actions)
        self._tokens = BaseTokens(base.encoder)
        self._agents: dict[tuple[str, str], BoundAgent] = {}
        added = base.tokenizer.get_added_vocab().items()
        self._special = [text for text, token in added if token in base.encoder.special_ids and text.strip()]

    def asked(self, request: GenerateRequest) -> Asked:
        """Check a request.

        Raises:
            RefusedError: it is too long, or no system message with a user message after it.
        """
        roles = [part.role if isinstance(part, Message) else "token" for part in request.prompt]
        if roles != ["system", "user"]:
            raise RefusedError(
                "bad_request", f"prompt: got {', '.join(roles)}; an agent takes a system and a user message"
            )
        turns = [{"content": self._harmless(part)} for part in request.prompt if isinstance(part, Message)]
        if (count := self._tokens.count_tokens_from_messages(turns)) > self._context:
            raise RefusedError(
                "prompt_too_long", f"about {count} tokens of prompt; the server takes {self._context}"
            )
        return super().asked(request)

    async def generate(self, client: VllmClient, asked: Asked, model: str) -> GenerateResult:
        """Put a request to the agent of its user and adapter.

        Raises:
            RefusedError: this request came to nothing.
            ServerError: as of `VllmClient.complete`.
        """
        system, user = (self._harmless(part) for part in asked.request.prompt if isinstance(part, Message))
        answer = await self._agent(client, system, model).ask(user, asked.request.sampling)
        return _result(asked.request, answer, model)

    async def probe(self, client: VllmClient, model: str, grammar: str | None = None) -> None:
        """Ask the least that can be asked; in place of a grammar, which is not needed here, with a tool.

        Raises:
            ServerError: there is no answer, or the server takes no tools.
        """
        if grammar is None:
            await super().probe(client, model)
            return
        turns = (Message("system", "ok"), Message("user", "ok"))
        body = bodies.chat(model, turns, Sampling(1, temperature=0), None) | {"tools": [_PROBE_TOOL]}
        try:
            await client.chat(body)
        except (RejectedError, UnansweredError) as error:
            if isinstance(error, UnansweredError) and error.for_all:
                raise
            raise ServerError(
                f"{client.endpoint.url}: the server takes no tools ({error}). Start it with --enable-auto-tool-choice "
                "--tool-call-parser hermes, as `plures serve start --tool-parser hermes` does."
            ) from error

    def _agent(self, client: VllmClient, system: str, model: str) -> BoundAgent:
        if (system, model) not in self._agents:
            served = ServedModel(client, model, self._tokens, self._context)
            self._agents[system, model] = BoundAgent(len(self._agents), system, served, self._actions)
        return self._agents[system, model]

    def _harmless(self, message: Message) -> str:
        """The text with a space inside whatever the server would take for a special token."""
        text = message.content
        for special in self._special:
            text = text.replace(special, f"{special[0]} {special[1:]}")
        return text


def _result(request: GenerateRequest, answer: ChatCompletion, model: str) -> GenerateResult:
    reply = read_reply(
        answer.as_completion(),
        model=model,
        prompt=None,
        most=request.sampling.max_new_tokens,
        stops=frozenset(),
        vocabulary=None,
    )
    said = answer.choices[0].message
    calls = tuple(ToolCall(call.function.name, call.function.arguments) for call in said.tool_calls or ())
    return GenerateResult(
        request_id=request.request_id,
        text=ToolReply(said.content, calls).text,
        token_ids=reply.token_ids,
        logprobs=reply.logprobs,
        finish_reason=reply.finish,
        prompt_tokens=answer.usage.prompt_tokens,
    )
