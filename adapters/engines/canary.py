"""The canary: one small request that an adapter must answer through the engine before it serves anybody."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adapters.engines.protocol import GenerateRequest, GenerateResult, Prompt, Sampling

CANARY_PREFIX = "canary "
"""How the ids of canary requests begin."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What is asked of a new adapter, and what counts as an answer.

    Args:
        prompt: token ids or messages; short, for it is paid for every new revision.
        max_new_tokens: drawn greedily, at least 1.

    Raises:
        ValueError: for a bad `max_new_tokens`.
    """

    prompt: Prompt
    max_new_tokens: int = 2

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens: got {self.max_new_tokens}; expected at least 1")

    def request(self, revision: str) -> GenerateRequest:
        """The request to a revision."""
        return GenerateRequest(
            CANARY_PREFIX + revision, self.prompt, revision, Sampling(self.max_new_tokens, temperature=0)
        )

    def objection(self, result: GenerateResult) -> str | None:
        """Why this answer is not good enough; None when it passes."""
        if result.error is not None:
            return f"{result.error.kind}: {result.error.message}"
        if not result.token_ids:
            return "the reply is empty"
        if not all(map(math.isfinite, result.logprobs)):
            return "a log-probability is not finite"
        return None
