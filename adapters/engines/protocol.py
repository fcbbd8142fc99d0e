"""The contract between those who ask for text and those who run the model.

A batch never fails as a whole because one request failed: a failed request comes back as a result whose
`error` names what went wrong, in the place of the request it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "error"]
ErrorKind = Literal[
    "unknown_adapter",
    "incompatible_adapter",
    "not_ready",
    "prompt_too_long",
    "bad_grammar",
    "bad_request",
    "engine",
]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn. `content` is untrusted: engines encode special tokens inside it as plain text."""

    role: Role
    content: str


Prompt = tuple[int, ...] | tuple[Message, ...]
"""Either token ids, taken as they are, or chat messages, encoded by the base's chat template."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one reply is drawn.

    Args:
        max_new_tokens: upper bound on the reply, in tokens, at least 1.
        temperature: 0 is greedy; otherwise logits are divided by it, > 0.
        top_p: nucleus mass in (0, 1]; 1 keeps the whole distribution.
        seed: of this request alone, whatever else is in the batch.
    """

    max_new_tokens: int = 96
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens: got {self.max_new_tokens}; expected at least 1")
        if self.temperature < 0:
            raise ValueError(f"temperature: got {self.temperature}; expected 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: got {self.top_p}; expected a number in (0, 1]")


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """Ask for one reply.

    Args:
        request_id: unique within the batch; comes back with the result.
        prompt: token ids or chat messages.
        adapter: revision id of the adapter, or None for the bare base.
        sampling: drawing rules, with the request's own seed.
        grammar: a regular expression that the whole reply text must match, or None. The end-of-turn
            token becomes possible exactly where the expression is complete.
    """

    request_id: str
    prompt: Prompt
    adapter: str | None = None
    sampling: Sampling = Sampling()
    grammar: str | None = None


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Ask for log p(completion | prompt), token by token, under one adapter."""

    request_id: str
    prompt: Prompt
    completion: tuple[int, ...]
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class RequestError:
    """Why one request failed; a value, since the rest of its batch went on."""

    kind: ErrorKind
    message: str


@dataclass(frozen=True, slots=True)
class GenerateResult:
    """One reply.

    `logprobs[i]` is the natural log-probability of `token_ids[i]` under the model itself: at temperature 1
    and before any grammar mask or nucleus cut (vLLM's `raw_logprobs`). `token_ids` ends with the end-of-turn
    token when `finish_reason` is "stop"; `text` never shows it.
    """

    request_id: str
    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    prompt_tokens: int
    error: RequestError | None = None

    @property
    def completion_tokens(self) -> int:
        """Tokens drawn, the end-of-turn token included."""
        return len(self.token_ids)


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """`logprobs[i]` is log p(completion[i] | prompt, completion[:i]), natural logarithm."""

    request_id: str
    logprobs: tuple[float, ...]
    prompt_tokens: int
    error: RequestError | None = None


class Engine(Protocol):
    """Anything that can run requests against one base with many adapters."""

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given."""
        ...

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given."""
        ...

    def close(self) -> None:
        """Free what the engine holds; a second call does nothing."""
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """What callers need of a base's tokenizer. No special token can arise from the text passed in."""

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Chat template applied, ending where the assistant's reply begins."""
        ...

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Plain text; no special tokens added or recognised."""
        ...

    @property
    def begin_ids(self) -> tuple[int, ...]:
        """What stands before raw text that is not a chat turn (possibly empty)."""
        ...

    @property
    def end_ids(self) -> tuple[int, ...]:
        """What ends the assistant's turn."""
        ...
