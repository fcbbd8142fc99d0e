"""Requests checked one by one before any of them runs, so that a bad one is answered and the others go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from adapters.engines.protocol import (
    ErrorKind,
    GenerateRequest,
    Message,
    Prompt,
    RequestError,
    ScoreRequest,
    TextEncoder,
)
from adapters.errors import (
    AdapterError,
    BaseMismatchError,
    BaseModelError,
    UnknownAdapterError,
    UnsupportedAdapterError,
)


class NamedBase(Protocol):
    """What messages need to know of a base."""

    @property
    def name(self) -> str:
        """Profile name, hub id or folder name."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over its files."""
        ...


class RefusedError(AdapterError):
    """One request cannot be answered; engines turn this into the `error` of its result."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.value = RequestError(kind, message)


class Limits(NamedTuple):
    """What one request may be.

    Args:
        vocabulary: token ids run from 0 to vocabulary − 1.
        context: tokens that the base can attend to.
        memory: tokens that the engine may hold at once.
    """

    vocabulary: int
    context: int
    memory: int


def repeated_ids(requests: Sequence[GenerateRequest | ScoreRequest]) -> frozenset[str]:
    """Request ids that occur more than once."""
    return frozenset(name for name, n in Counter(r.request_id for r in requests).items() if n > 1)


def check_id(request: GenerateRequest | ScoreRequest, repeated: frozenset[str]) -> None:
    """Raises RefusedError for an id that names several requests."""
    if request.request_id in repeated:
        raise _bad(f"request_id: {request.request_id!r} occurs more than once in the batch; ids must differ")


def check_generate(request: GenerateRequest, encoder: TextEncoder, limits: Limits) -> tuple[int, ...]:
    """The prompt's ids.

    Raises:
        RefusedError: `bad_request` or `prompt_too_long`.
    """
    ids = _checked_prompt(request.prompt, encoder, limits)
    if request.sampling.seed < 0:
        raise _bad(f"sampling.seed: got {request.sampling.seed}; expected 0 or more")
    _check_length(len(ids), request.sampling.max_new_tokens, "max_new_tokens", limits)
    return ids


def check_score(request: ScoreRequest, encoder: TextEncoder, limits: Limits) -> tuple[int, ...]:
    """The prompt's ids.

    Raises:
        RefusedError: `bad_request` or `prompt_too_long`.
    """
    ids = _checked_prompt(request.prompt, encoder, limits)
    _check_tokens("completion", request.completion, limits)
    _check_length(len(ids), len(request.completion), "completion", limits)
    return ids


def prompt_ids(prompt: Prompt, encoder: TextEncoder) -> tuple[int, ...]:
    """Token ids as they are, chat messages through the encoder.

    Raises:
        RefusedError: neither, a mixture, or messages that the chat template does not take.
    """
    messages = [item for item in prompt if isinstance(item, Message)]
    if messages and len(messages) == len(prompt):
        try:
            return encoder.prompt_ids(messages)
        except BaseModelError as error:
            raise _bad(f"prompt: {error}") from error
    if odd := [item for item in prompt if not isinstance(item, int)]:
        raise _bad(f"prompt: got an item {odd[0]!r}; expected token ids only, or messages only")
    return tuple(item for item in prompt if isinstance(item, int))


def explain_adapter(revision: str, base: NamedBase, error: AdapterError) -> RequestError:
    """What requests under an adapter are told when it cannot be opened or served on a base."""
    match error:
        case UnknownAdapterError():
            return RequestError("unknown_adapter", str(error))
        case BaseMismatchError() | UnsupportedAdapterError():
            on = f"base {base.name!r} ({base.fingerprint[:12]})"
            return RequestError("incompatible_adapter", f"adapter {revision} on {on}: {error}")
        case _:
            return RequestError("engine", f"adapter {revision} cannot be read: {error}")


def _checked_prompt(prompt: Prompt, encoder: TextEncoder, limits: Limits) -> tuple[int, ...]:
    ids = prompt_ids(prompt, encoder)
    if not ids:
        raise _bad("prompt: got no tokens; expected at least one")
    _check_tokens("prompt", ids, limits)
    return ids


def _check_tokens(field: str, ids: Sequence[int], limits: Limits) -> None:
    for token in ids:
        if not isinstance(token, int) or not 0 <= token < limits.vocabulary:
            raise _bad(f"{field}: got token id {token!r}; expected 0 to {limits.vocabulary - 1}")


def _check_length(prompt: int, more: int, what: str, limits: Limits) -> None:
    need = prompt + more
    sizes = f"{prompt} tokens of prompt and {more} of {what} make {need}"
    if need > limits.context:
        raise RefusedError(
            "prompt_too_long",
            f"{sizes}; this base takes {limits.context}. Shorten the prompt or lower {what}.",
        )
    if need > limits.memory:
        raise RefusedError(
            "prompt_too_long",
            f"{sizes}; this engine holds {limits.memory} at once. Raise its token_budget.",
        )


def _bad(message: str) -> RefusedError:
    return RefusedError("bad_request", message)
