"""An engine without a model, for tests: a function says what is replied."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from adapters.engines.protocol import (
    GenerateRequest,
    GenerateResult,
    Message,
    RequestError,
    ScoreRequest,
    ScoreResult,
)
from adapters.engines.validation import (
    Limits,
    RefusedError,
    check_generate,
    check_id,
    check_score,
    repeated_ids,
)
from adapters.errors import AdapterError

END_TOKEN = 0x110000
"""What ends a scripted reply: the number after the last character's."""

TOKEN_LOGPROB = -1.0
"""The log-probability of every token under a scripted engine, drawn or scored."""


class CharacterEncoder:
    """A `TextEncoder` whose tokens are characters; no text contains `END_TOKEN`."""

    @property
    def begin_ids(self) -> tuple[int, ...]:
        """Nothing."""
        return ()

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The one end token."""
        return (END_TOKEN,)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Code points."""
        return tuple(map(ord, text))

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Each content, closed by the end token."""
        return tuple(token for message in messages for token in (*self.text_ids(message.content), END_TOKEN))


class ScriptedEngine:
    """Replies what it is told, and otherwise keeps the whole contract of `Engine`.

    A token is a character, so a reply of more than `max_new_tokens` characters is cut. Every log-probability is
    `TOKEN_LOGPROB`. A grammar is checked with Python's `re`: a reply that ends and does not match it becomes
    a `bad_grammar` error, which in a test means that the script is wrong.

    Args:
        reply: the whole reply to a request, or the error it should fail with.
        adapters: revisions that exist; others are unknown. None lets every name pass.
        context: tokens that a prompt and its reply may have.
    """

    def __init__(
        self,
        reply: Callable[[GenerateRequest], str | RequestError],
        *,
        adapters: Collection[str] | None = None,
        context: int = 1_000_000,
    ) -> None:
        self._reply, self._adapters = reply, adapters
        self._limits = Limits(vocabulary=END_TOKEN + 1, context=context, memory=context)
        self._encoder = CharacterEncoder()
        self._closed = False

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given.

        Raises:
            AdapterError: the engine is closed.
        """
        self._check_open()
        repeated = repeated_ids(requests)
        return [self._generate(request, repeated) for request in requests]

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """`TOKEN_LOGPROB` for every token of every completion.

        Raises:
            AdapterError: the engine is closed.
        """
        self._check_open()
        repeated = repeated_ids(requests)
        return [self._score(request, repeated) for request in requests]

    def close(self) -> None:
        """Refuse further work; a second call does nothing."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise AdapterError("this engine is closed; make a new ScriptedEngine")

    def _generate(self, request: GenerateRequest, repeated: frozenset[str]) -> GenerateResult:
        prompt: tuple[int, ...] = ()
        try:
            check_id(request, repeated)
            prompt = check_generate(request, self._encoder, self._limits)
            self._check_adapter(request.adapter)
            text = self._checked_reply(request)
        except RefusedError as refusal:
            return GenerateResult(request.request_id, "", (), (), "error", len(prompt), refusal.value)
        tokens = (*self._encoder.text_ids(text), END_TOKEN)[: request.sampling.max_new_tokens]
        stopped = tokens[-1] == END_TOKEN
        return GenerateResult(
            request_id=request.request_id,
            text=text if stopped else text[: len(tokens)],
            token_ids=tokens,
            logprobs=(TOKEN_LOGPROB,) * len(tokens),
            finish_reason="stop" if stopped else "length",
            prompt_tokens=len(prompt),
        )

    def _checked_reply(self, request: GenerateRequest) -> str:
        reply = self._reply(request)
        if isinstance(reply, RequestError):
            raise RefusedError(reply.kind, reply.message)
        if request.grammar is not None:
            try:
                matches = re.fullmatch(request.grammar, reply)
            except re.error as error:
                raise RefusedError("bad_grammar", f"grammar {request.grammar!r}: {error}") from error
            if not matches:
                raise RefusedError(
                    "bad_grammar", f"the scripted reply {reply!r} does not match {request.grammar!r}"
                )
        return reply

    def _score(self, request: ScoreRequest, repeated: frozenset[str]) -> ScoreResult:
        prompt: tuple[int, ...] = ()
        try:
            check_id(request, repeated)
            prompt = check_score(request, self._encoder, self._limits)
            self._check_adapter(request.adapter)
        except RefusedError as refusal:
            return ScoreResult(request.request_id, (), len(prompt), refusal.value)
        return ScoreResult(request.request_id, (TOKEN_LOGPROB,) * len(request.completion), len(prompt))

    def _check_adapter(self, adapter: str | None) -> None:
        if adapter is not None and self._adapters is not None and adapter not in self._adapters:
            known = ", ".join(sorted(self._adapters)) or "none"
            raise RefusedError("unknown_adapter", f"{adapter}: no such adapter; there are {known}")
