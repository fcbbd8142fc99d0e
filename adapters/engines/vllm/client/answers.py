"""Answers of a server, which nobody vouches for: read into checked values, or refused as nonsense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.engines.replies import NOT_FINITE
from adapters.engines.validation import RefusedError
from adapters.engines.vllm.client.faults import NonsenseError, UnansweredError

_ROUNDING = 1e-3
"""By how much rounding may push a log-probability above 0."""


class _Part(BaseModel):
    """Fields that are not read are ignored; those that are have exactly the type named."""

    model_config = ConfigDict(strict=True, extra="ignore")


class ModelCard(_Part):
    """One model of the server's list: the base, or an adapter.

    Args:
        id: name it is served under.
        root: folder that the server read it from.
        parent: of an adapter, the base's name.
        max_model_len: of the base, tokens of prompt and reply; servers other than vLLM do not say.
    """

    id: str
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class ModelList(_Part):
    """GET /v1/models."""

    data: list[ModelCard]


class _Logprobs(_Part):
    token_logprobs: list[float | None]


class _PromptLogprob(_Part):
    logprob: float | None


class _Usage(_Part):
    prompt_tokens: int
    completion_tokens: int


class _Choice(_Part):
    token_ids: list[int]
    logprobs: _Logprobs
    finish_reason: str | None
    prompt_token_ids: list[int]
    prompt_logprobs: list[dict[str, _PromptLogprob] | None] | None = None


class Completion(_Part):
    """POST /v1/completions, with `return_token_ids`."""

    model: str
    choices: Annotated[list[_Choice], Field(min_length=1, max_length=1)]
    usage: _Usage


class _Function(_Part):
    name: str
    arguments: str


class _ToolCall(_Part):
    id: str
    function: _Function


class _Message(_Part):
    content: str | None
    tool_calls: list[_ToolCall] | None = None


class _TokenLogprob(_Part):
    logprob: float | None


class _ChatLogprobs(_Part):
    content: list[_TokenLogprob]


class _ChatChoice(_Part):
    message: _Message
    token_ids: list[int]
    logprobs: _ChatLogprobs
    finish_reason: str | None


class ChatCompletion(_Part):
    """POST /v1/chat/completions, with `return_token_ids`."""

    model: str
    choices: Annotated[list[_ChatChoice], Field(min_length=1, max_length=1)]
    prompt_token_ids: list[int]
    usage: _Usage

    def as_completion(self) -> Completion:
        """The same answer in the form of a completion, which knows no tools: calls of tools are one way to stop."""
        (choice,) = self.choices
        logprobs = _Logprobs(token_logprobs=[token.logprob for token in choice.logprobs.content])
        flat = _Choice(
            token_ids=choice.token_ids,
            logprobs=logprobs,
            finish_reason="stop" if choice.finish_reason == "tool_calls" else choice.finish_reason,
            prompt_token_ids=self.prompt_token_ids,
        )
        return Completion(model=self.model, choices=[flat], usage=self.usage)


class Tokens(_Part):
    """POST /tokenize."""

    tokens: list[int]


class Reply(NamedTuple):
    """A reply that passed every check.

    Args:
        token_ids: the token that ended it included.
        logprobs: natural logarithms; under a grammar those of the masked distribution.
        finish: why it ended.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish: Literal["stop", "length"]


_Model = TypeVar("_Model", bound=BaseModel)


def parse(kind: type[_Model], payload: Any) -> _Model:
    """An answer of the expected shape.

    Raises:
        NonsenseError: another shape.
    """
    try:
        return kind.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole answer"
        raise NonsenseError(
            f"{where}: {first['msg']} (got {str(first['input'])[:80]!r}); expected the answer of vLLM 0.27 or newer"
        ) from error


def read_reply(
    answer: Completion,
    *,
    model: str,
    prompt: Sequence[int] | None,
    most: int,
    stops: frozenset[int],
    vocabulary: int | None,
) -> Reply:
    """The reply in an answer to a request for at most `most` tokens.

    Args:
        answer: of the right shape.
        model: name that was asked for.
        prompt: ids that were sent; None where the server made them.
        most: tokens at most.
        stops: ids that end a reply.
        vocabulary: token ids are below it; None where that is unknown.

    Raises:
        NonsenseError: for what no answer to this request can be.
        RefusedError: the model gave numbers that are not finite.
        UnansweredError: the server broke off.
    """
    (choice,) = answer.choices
    tokens, finish = tuple(choice.token_ids), choice.finish_reason
    if finish not in ("stop", "length"):
        raise UnansweredError(f"the server broke the reply off ({finish})", for_all=False)
    _check("model", answer.model, model)
    if prompt is not None:
        _check("prompt_token_ids", choice.prompt_token_ids, list(prompt))
    _check("usage.prompt_tokens", answer.usage.prompt_tokens, len(choice.prompt_token_ids))
    _check("usage.completion_tokens", answer.usage.completion_tokens, len(tokens))
    _check("number of log-probabilities", len(choice.logprobs.token_logprobs), len(tokens))
    if not 1 <= len(tokens) <= most:
        raise NonsenseError(f"token_ids: got {len(tokens)} tokens; expected 1 to {most}")
    if odd := [t for t in tokens if t < 0 or (vocabulary is not None and t >= vocabulary)]:
        raise NonsenseError(f"token_ids: got {odd[0]}; the base's vocabulary has {vocabulary}")
    if stops:
        _check_end(tokens, finish, most, stops)
    return Reply(tokens, _sound(choice.logprobs.token_logprobs), "stop" if finish == "stop" else "length")


def read_score(answer: Completion, *, model: str, ids: Sequence[int], start: int) -> tuple[float, ...]:
    """Log-probabilities of the tokens from `start` on, from an answer to `bodies.scoring`.

    Raises:
        NonsenseError: for what no answer to this request can be.
        RefusedError: the model gave numbers that are not finite.
    """
    (choice,) = answer.choices
    _check("model", answer.model, model)
    _check("prompt_token_ids", choice.prompt_token_ids, list(ids[:-1]))
    _check("token_ids", choice.token_ids, [ids[-1]])
    _check("number of log-probabilities", len(choice.logprobs.token_logprobs), 1)
    inner: list[float | None] = []
    if start < len(ids) - 1:
        given = choice.prompt_logprobs or []
        _check("number of prompt log-probabilities", len(given), len(ids) - 1)
        for place in range(start, len(ids) - 1):
            token = (given[place] or {}).get(str(ids[place]))
            if token is None:
                raise NonsenseError(f"prompt_logprobs[{place}]: nothing about token {ids[place]}")
            inner.append(token.logprob)
    return _sound([*inner, *choice.logprobs.token_logprobs])


def _check_end(tokens: Sequence[int], finish: str, most: int, stops: frozenset[int]) -> None:
    if (finish == "stop") != (tokens[-1] in stops):
        raise NonsenseError(f"finish_reason: got {finish!r} for a reply that ends in token {tokens[-1]}")
    if finish == "length" and len(tokens) != most:
        raise NonsenseError(f"finish_reason: got 'length' after {len(tokens)} of {most} tokens")
    if early := [token for token in tokens[:-1] if token in stops]:
        raise NonsenseError(f"token_ids: got {early[0]}, which ends replies, inside of one")


def _sound(logprobs: Sequence[float | None]) -> tuple[float, ...]:
    known = [logprob for logprob in logprobs if logprob is not None and math.isfinite(logprob)]
    if len(known) != len(logprobs):
        raise RefusedError("engine", NOT_FINITE)
    if (highest := max(known, default=0.0)) > _ROUNDING:
        raise NonsenseError(f"log-probabilities: got {highest:g}; expected 0 or less")
    return tuple(min(logprob, 0.0) for logprob in known)


def _check(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise NonsenseError(f"{what}: got {str(got)[:80]}; expected {str(expected)[:80]}")
