"""Log-probabilities of given completions, packed into few passes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

from adapters.engines.batching import cut_passes, group_rows
from adapters.engines.forward import Forward
from adapters.lora.layers import StackedLora
from adapters.lora.packing import pack


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
    scores: list[list[float]] = [[] for _ in jobs]
    for one_pass in cut_passes(group_rows(rows, [job.slot for job in jobs]), rows, pass_tokens):
        members = [i for group in one_pass for i in group]
        packed = pack([[rows[i] for i in group] for group in one_pass], device=forward.device)
        slots = [jobs[group[0]].slot for group in one_pass]
        with stack.route_segments(slots, packed.group_lengths) if stack else nullcontext():
            found = forward.logprobs(packed, [jobs[i].start for i in members])
        for i, logprobs in zip(members, found, strict=True):
            scores[i] = logprobs.tolist()
    return scores
