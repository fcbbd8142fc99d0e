"""Requests as chat messages and replies as text, for a server whose tokenizer is not on this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import llguidance

from adapters.engines.grammar import lark_grammar
from adapters.engines.protocol import (
    GenerateRequest,
    GenerateResult,
    Message,
    Sampling,
    ScoreRequest,
    ScoreResult,
)
from adapters.engines.validation import RefusedError
from adapters.engines.vllm.client import bodies
from adapters.engines.vllm.client.answers import Reply, read_reply, read_score
from adapters.engines.vllm.client.client import VllmClient
from adapters.engines.vllm.speech import Asked, Scored

_SPECIAL = re.compile(r"<[|｜][^<>\s]{1,60}[|｜]>|</?[a-z_]{1,30}>|\[/?[A-Z_]{2,30}\]")


@dataclass(frozen=True, slots=True)
class RemoteBase:
    """A base that only its server has.

    Args:
        name: that the server serves it under.
        spellings: its special tokens where they have another form than `<|…|>`, `<name>` or `[NAME]`.
    """

    name: str
    spellings: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Nothing is known of its files."""
        return "unknown"


class _Said(NamedTuple):
    text: str
    reply: Reply
    prompt: tuple[int, ...]


class ChatSpeech:
    """Speaks to a server in messages, which it encodes by its own chat template.

    What is less than with `TokenSpeech`: contents that spell a special token are changed (a space after the first
    character), since the server would take the spelling for the token; prompts of token ids are refused, and
    completions are scored after token ids only; how long a prompt is, only the server finds out.

    Args:
        base: as the server has it.
    """

    def __init__(self, base: RemoteBase) -> None:
        self._base = base
        self._bytes = llguidance.LLTokenizer("byte")

    def asked(self, request: GenerateRequest) -> Asked:
        """Check a request.

        Raises:
            RefusedError: it cannot be answered.
        """
        if not request.prompt or not all(isinstance(part, Message) for part in request.prompt):
            raise _bad(
                f"prompt: got something else than messages, which is what a server that is asked by chat takes. "
                f"Keep the tokenizer of {self._base.name} on this machine to send token ids."
            )
        if request.sampling.seed < 0:
            raise _bad(f"sampling.seed: got {request.sampling.seed}; expected 0 or more")
        if request.grammar is not None:
            self._matcher(request.grammar)
        return Asked(request, ())

    def scored(self, request: ScoreRequest) -> Scored:
        """Check a completion: its prompt has to be token ids, which are taken as they are.

        Raises:
            RefusedError: it cannot be scored.
        """
        ids = [token for token in request.prompt if isinstance(token, int) and token >= 0]
        if not ids or len(ids) != len(request.prompt) or any(token < 0 for token in request.completion):
            raise _bad(
                f"prompt, completion: got something else than token ids; a server that is asked by chat scores ids "
                f"only. Keep the tokenizer of {self._base.name} on this machine to score replies to messages."
            )
        return Scored(request, tuple(ids))

    async def generate(self, client: VllmClient, asked: Asked, model: str) -> GenerateResult:
        """Send a request and read its reply; one under a grammar is scored once more, as in `TokenSpeech`.

        Raises:
            RefusedError: this request came to nothing.
            ServerError: as of `VllmClient.complete`.
        """
        request = asked.request
        messages = [part for part in request.prompt if isinstance(part, Message)]
        text, reply, prompt = await self._said(client, model, messages, request.sampling, request.grammar)
        logprobs = reply.logprobs
        if request.grammar is not None:
            logprobs = await self._logprobs(client, model, prompt, reply.token_ids)
        return GenerateResult(request.request_id, text, reply.token_ids, logprobs, reply.finish, len(prompt))

    async def score(self, client: VllmClient, scored: Scored, model: str) -> ScoreResult:
        """Send a completion and read its log-probabilities; raises as `generate`."""
        request, prompt = scored
        logprobs = await self._logprobs(client, model, prompt, request.completion)
        return ScoreResult(request.request_id, logprobs, len(prompt))

    async def probe(self, client: VllmClient, model: str, grammar: str | None = None) -> None:
        """Ask the least that can be asked; an answer of any kind will do, if it keeps the grammar.

        Raises:
            RefusedError: it does not keep the grammar.
            ServerError: there is no answer.
        """
        await self._said(client, model, [Message("user", "?")], Sampling(8, temperature=0), grammar)

    def forget(self) -> None:
        """Nothing is kept between batches."""

    async def _said(
        self,
        client: VllmClient,
        model: str,
        messages: Sequence[Message],
        sampling: Sampling,
        grammar: str | None,
    ) -> _Said:
        harmless = [Message(turn.role, self._harmless(turn.content)) for turn in messages]
        lark = None if grammar is None else lark_grammar(grammar)
        answer = await client.chat(bodies.chat(model, harmless, sampling, lark))
        reply = read_reply(
            answer.as_completion(),
            model=model,
            prompt=None,
            most=sampling.max_new_tokens,
            stops=frozenset(),
            vocabulary=None,
        )
        text = answer.choices[0].message.content or ""
        if grammar is not None:
            self._follow(text, grammar, ended=reply.finish == "stop")
        return _Said(text, reply, tuple(answer.prompt_token_ids))

    async def _logprobs(
        self, client: VllmClient, model: str, prompt: tuple[int, ...], completion: tuple[int, ...]
    ) -> tuple[float, ...]:
        if not completion:
            return ()
        ids = (*prompt, *completion)
        answer = await client.complete(bodies.scoring(model, ids, len(prompt)))
        return read_score(answer, model=model, ids=ids, start=len(prompt))

    def _follow(self, text: str, grammar: str, *, ended: bool) -> None:
        matcher, content = self._matcher(grammar), list(text.encode())
        kept = matcher.try_consume_tokens(content) == len(content)
        if not kept or (ended and not matcher.is_accepting()):
            raise RefusedError("bad_grammar", f"the server's reply {text[:80]!r} leaves the grammar")

    def _matcher(self, grammar: str) -> llguidance.LLMatcher:
        matcher = llguidance.LLMatcher(self._bytes, lark_grammar(grammar), log_level=0)
        if matcher.is_error():
            raise RefusedError("bad_grammar", f"grammar {grammar!r}: {matcher.get_error()}")
        return matcher

    def _harmless(self, text: str) -> str:
        """The text with every spelling of a special token broken by a space; what is no Unicode becomes "?"."""
        text = text.encode("utf-8", "replace").decode()
        text = _SPECIAL.sub(lambda found: _broken(found[0]), text)
        for spelling in self._base.spellings:
            text = text.replace(spelling, _broken(spelling))
        return text


def _broken(spelling: str) -> str:
    return f"{spelling[0]} {spelling[1:]}"


def _bad(message: str) -> RefusedError:
    return RefusedError("bad_request", message)
