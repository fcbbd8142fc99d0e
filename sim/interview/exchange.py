"""Questions and answers as data, and as lines of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from adapters.engines.protocol import GenerateResult


class Voice(NamedTuple):
    """Who answers: a condition's name, and the adapter that the agent has in it (None: the bare base)."""

    name: str
    adapter: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one voice answered to one question.

    Args:
        voice: name of the condition.
        adapter: revision, or None for the bare base.
        text: the words that the model wrote; untrusted.
        finish_reason: `stop`, `length` (cut at `max_new_tokens`) or `error`.
        prompt_sha256: of the exact messages.
        prompt_tokens: tokens of the prompt.
        tokens: drawn, the end of turn included.
        logprob: of the answer under the model itself, in nats.
        error: why there is none; None where there is.
    """

    voice: str
    adapter: str | None
    text: str
    finish_reason: str
    prompt_sha256: str
    prompt_tokens: int
    tokens: int
    logprob: float
    error: str | None = None

    @classmethod
    def of(cls, voice: Voice, prompt_sha256: str, text: str, result: GenerateResult) -> Answer:
        """From what the engine gave back, and the words in it."""
        return cls(
            voice=voice.name,
            adapter=voice.adapter,
            text=text,
            finish_reason=result.finish_reason,
            prompt_sha256=prompt_sha256,
            prompt_tokens=result.prompt_tokens,
            tokens=result.completion_tokens,
            logprob=float(sum(result.logprobs)),
            error=f"{result.error.kind}: {result.error.message}" if result.error else None,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and every voice's answer to it.

    Args:
        turn: place in the conversation, from 1.
        question: as it was asked, white space folded.
        seed: under which every voice drew its answer.
        answers: one for each voice, in their order.
    """

    turn: int
    question: str
    seed: int
    answers: tuple[Answer, ...]

    def __getitem__(self, voice: str) -> Answer:
        """The answer of one voice by its name."""
        for answer in self.answers:
            if answer.voice == voice:
                return answer
        raise KeyError(f"{voice!r}: not among {', '.join(answer.voice for answer in self.answers)}")

    def as_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        plain = asdict(self)
        return {**plain, "answers": list(plain["answers"])}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Exchange:
        """What `as_plain` gave; further keys are passed over.

        Raises:
            KeyError, TypeError: for something else.
        """
        return cls(
            turn=int(plain["turn"]),
            question=str(plain["question"]),
            seed=int(plain["seed"]),
            answers=tuple(Answer(**answer) for answer in plain["answers"]),
        )
