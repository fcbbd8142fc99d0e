"""An engine that reports what went through it, request by request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.engines.protocol import (
    Engine,
    ErrorKind,
    FinishReason,
    GenerateRequest,
    GenerateResult,
    Message,
    Prompt,
    ScoreRequest,
    ScoreResult,
)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What one request came to, without its text.

    Args:
        kind: which of the engine's two questions was asked.
        prompt_sha256: of token ids or messages; see `prompt_sha256`.
        completion_tokens: drawn or scored.
        finish_reason: None for scores.
        mean_logprob: over the completion's tokens, natural logarithm; None where there are none.
    """

    kind: Literal["generate", "score"]
    request_id: str
    prompt_sha256: str
    adapter: str | None
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason | None
    error: ErrorKind | None
    mean_logprob: float | None


class RecordedEngine:
    """Passes everything on to `inner` and hands one record per request to `sink`, in the order of requests.

    Records come after the whole batch is done: a batch that raises leaves none.

    Args:
        inner: the engine that does the work; closed with this one.
        sink: takes one record.
    """

    def __init__(self, inner: Engine, sink: Callable[[RequestRecord], None]) -> None:
        self._inner, self._sink = inner, sink

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given."""
        results = self._inner.generate(requests)
        for request, result in zip(requests, results, strict=True):
            self._record("generate", request, result, result.finish_reason)
        return results

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given."""
        results = self._inner.score(requests)
        for request, result in zip(requests, results, strict=True):
            self._record("score", request, result, None)
        return results

    def close(self) -> None:
        """Close the inner engine."""
        self._inner.close()

    def _record(
        self,
        kind: Literal["generate", "score"],
        request: GenerateRequest | ScoreRequest,
        result: GenerateResult | ScoreResult,
        finish_reason: FinishReason | None,
    ) -> None:
        logprobs = result.logprobs
        self._sink(
            RequestRecord(
                kind=kind,
                request_id=request.request_id,
                prompt_sha256=prompt_sha256(request.prompt),
                adapter=request.adapter,
                prompt_tokens=result.prompt_tokens,
                completion_tokens=len(logprobs),
                finish_reason=finish_reason,
                error=result.error.kind if result.error else None,
                mean_logprob=sum(logprobs) / len(logprobs) if logprobs else None,
            )
        )


def prompt_sha256(prompt: Prompt) -> str:
    """SHA-256 (hex) over token ids, or over the roles and contents of messages: equal prompts, equal hashes."""
    parts = [[part.role, part.content] if isinstance(part, Message) else part for part in prompt]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
