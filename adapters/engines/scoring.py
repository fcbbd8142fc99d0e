"""Log-probabilities of given completions, packed into few passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adapters.engines.forward import Forward
from adapters.engines.passes import plan_passes
from adapters.lora.layers import StackedLora


class ScoreJob(NamedTuple):
    """One text to score.

    Args:
        tokens: prompt and completion.
        start: position of the completion's first token, at least 1.
        slot: of the adapter, −1 for the base.
    """

    tokens: Sequence[int]
    start: int
    slot: int


def score_jobs(
    forward: Forward, stack: StackedLora | None, jobs: Sequence[ScoreJob], pass_tokens: int
) -> list[list[float]]:
    """Score jobs whose adapters are all in the slots.

    Args:
        forward: passes of the model.
        stack: the slots, or None while there are none.
        jobs: texts with at least one token to score.
        pass_tokens: tokens in one pass.

    Returns:
        For each job, the natural log-probability of each token of its completion.
    """
    rows = [job.tokens for job in jobs]
    depth = stack.spec.first_layer if stack else 0
    scores: list[list[float]] = [[] for _ in jobs]
    for one_pass in plan_passes(
        rows, [job.slot for job in jobs], depth=depth, budget=pass_tokens, device=forward.device
    ):
        found = forward.logprobs(one_pass, stack, [jobs[i].start for i in one_pass.members])
        for i, logprobs in zip(one_pass.members, found, strict=True):
            scores[i] = logprobs.tolist()
    return scores
