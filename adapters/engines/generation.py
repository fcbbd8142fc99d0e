"""The decoding loop: rows join when there is room, take one token per step, and leave when they are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.engines.batching import Division
from adapters.engines.forward import Forward
from adapters.engines.grammar import Constraint, GrammarCompiler
from adapters.engines.kv_pool import KvPool
from adapters.engines.passes import plan_passes
from adapters.engines.protocol import ErrorKind, FinishReason, RequestError, Sampling
from adapters.engines.replies import NOT_FINITE
from adapters.engines.sampling import draw, one_token_nuclei, uniforms, widest
from adapters.lora.layers import StackedLora
from adapters.lora.routing import BASE_SLOT

_JOIN_SHARE = 4
"""New rows join when a quarter of the rows is free: a pass over a few prompts costs almost a decode step."""


@dataclass
class Job:
    """One request on its way through the loop.

    Args:
        prompt: token ids, at least one.
        sampling: drawing rules.
        constraint: its grammar at the start, or None.
        slot: of the adapter, −1 for the base.
    """

    prompt: Sequence[int]
    sampling: Sampling
    constraint: Constraint | None = None
    slot: int = BASE_SLOT
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: FinishReason | None = None
    error: RequestError | None = None
    numbers: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = uniforms(self.sampling.seed, self.sampling.max_new_tokens)

    @property
    def need(self) -> int:
        """Tokens of a pool row that is long enough."""
        return len(self.prompt) + self.sampling.max_new_tokens

    def fail(self, kind: ErrorKind, message: str) -> None:
        """End with an error in place of a reply."""
        self.finish, self.error = "error", RequestError(kind, message)
        self.tokens, self.logprobs = [], []


class DecodingLoop:
    """Runs jobs whose adapters are all in the slots.

    Args:
        forward: passes of the model.
        stack: the slots, or None while there are none.
        grammars: masks for constrained rows; called only if there are any.
        stops: token ids that end a reply.
        pass_tokens: prompt tokens in one pass; a longer prompt is read in parts of this size.
    """

    def __init__(
        self,
        forward: Forward,
        stack: StackedLora | None,
        grammars: Callable[[], GrammarCompiler],
        stops: frozenset[int],
        pass_tokens: int,
    ) -> None:
        self._forward, self._stack, self._grammars = forward, stack, grammars
        self._stops, self._pass_tokens = stops, pass_tokens

    def run(self, jobs: Sequence[Job], pool: KvPool, division: Division) -> None:
        """Bring each member of a division to its end."""
        pool.shape(division.rows, division.length)
        members = [jobs[i] for i in division.members]
        place = {slot: place for place, slot in enumerate(dict.fromkeys(job.slot for job in members))}
        waiting = deque(sorted(members, key=lambda job: place[job.slot]))
        running: list[Job] = []
        while waiting or running:
            free = division.rows - len(running)
            if waiting and (not running or free * _JOIN_SHARE >= division.rows):
                joining = [waiting.popleft() for _ in range(min(free, len(waiting)))]
                running += self._read_prompts(joining, pool, first_row=len(running))
            else:
                self._step_until_one_is_done(running, pool)
            self._leave(running, pool)

    def _read_prompts(self, joining: Sequence[Job], pool: KvPool, first_row: int) -> list[Job]:
        """Read prompts and draw their first tokens; returns the jobs in the order of their rows."""
        read: list[Job] = []
        short: list[Job] = []
        for job in joining:
            if len(job.prompt) <= self._pass_tokens:
                short.append(job)
                continue
            row = first_row + len(read)
            logits = self._forward.long_prompt(
                job.prompt, job.slot, self._stack, pool, row, self._pass_tokens
            )
            self._take(logits, [job])
            read.append(job)
        for one_pass in plan_passes(
            [job.prompt for job in short],
            [job.slot for job in short],
            depth=self._stack.spec.first_layer if self._stack else 0,
            budget=self._pass_tokens,
            device=self._forward.device,
        ):
            members = [short[i] for i in one_pass.members]
            self._take(self._forward.prompts(one_pass, self._stack, pool, first_row + len(read)), members)
            read += members
        return read

    def _step_until_one_is_done(self, running: Sequence[Job], pool: KvPool) -> None:
        with self._stack.route([job.slot for job in running]) if self._stack else nullcontext():
            while all(job.finish is None for job in running):
                last = [job.tokens[-1] for job in running]
                positions = [len(job.prompt) + len(job.tokens) - 1 for job in running]
                self._take(self._forward.tokens(last, positions, pool), running)

    def _take(self, logits: Tensor, jobs: Sequence[Job]) -> None:
        """Draw the next token of each job and see whether it was the last."""
        total = logits.logsumexp(dim=-1)
        healthy = total.isfinite()
        if not healthy.all():
            for job, well in zip(jobs, healthy.tolist(), strict=True):
                if not well:
                    job.fail("engine", NOT_FINITE)
            jobs = [job for job in jobs if job.error is None]
            if not jobs:
                return
            logits, total = logits[healthy], total[healthy]
        chosen = self._choose(logits, jobs)
        logprobs = logits.gather(-1, chosen[:, None])[:, 0] - total
        for job, token, logprob in zip(jobs, chosen.tolist(), logprobs.tolist(), strict=True):
            if job.error is not None:
                continue
            job.tokens.append(token)
            job.logprobs.append(logprob)
            if token in self._stops:
                job.finish = "stop"
            elif len(job.tokens) == job.sampling.max_new_tokens:
                job.finish = "length"

    def _choose(self, logits: Tensor, jobs: Sequence[Job]) -> Tensor:
        """One token per job.

        A token drawn without looking at the grammar, kept if the grammar allows it and otherwise drawn again
        among the allowed ones, is distributed as one drawn among the allowed ones: p + (1 − Z) · p/Z = p/Z with
        Z the allowed mass. So most steps need no mask. A nucleus, however, is cut from the allowed tokens:
        a row with both is masked from the start, unless its nucleus is one token anyway.
        """
        chosen = self._draw(logits, jobs, number=0)
        masked = self._masked_first(logits, jobs)
        again = [
            i
            for i, (job, token) in enumerate(zip(jobs, chosen.tolist(), strict=True))
            if job.constraint is not None and (masked[i] or not job.constraint.take(token))
        ]
        if not again:
            return chosen
        constraints = [c for i in again if (c := jobs[i].constraint) is not None]
        allowed = self._grammars().allowed(constraints).to(logits.device)
        at = torch.tensor(again, device=logits.device)
        permitted = logits[at].masked_fill_(~allowed, -torch.inf)
        redrawn = self._draw(permitted, [jobs[i] for i in again], number=1)
        for i, constraint, token in zip(again, constraints, redrawn.tolist(), strict=True):
            if not constraint.take(token):
                jobs[i].fail("bad_grammar", f"the grammar cannot be followed further: {constraint.failure}")
        return chosen.index_copy_(0, at, redrawn)

    def _masked_first(self, logits: Tensor, jobs: Sequence[Job]) -> Sequence[bool]:
        both = [job.constraint is not None and job.sampling.top_p < 1 for job in jobs]
        if not any(both):
            return both
        certain = one_token_nuclei(logits, *_rules(jobs, logits.device)).tolist()
        return [cut and not one for cut, one in zip(both, certain, strict=True)]

    def _draw(self, logits: Tensor, jobs: Sequence[Job], number: int) -> Tensor:
        uniform = torch.tensor(
            [job.numbers[len(job.tokens), number] for job in jobs],
            dtype=widest(logits.device),
            device=logits.device,
        )
        return draw(logits, *_rules(jobs, logits.device), uniform)

    def _leave(self, running: list[Job], pool: KvPool) -> None:
        """Drop finished jobs; the last row moves into the gap, so that the running ones stay the first rows."""
        for row in reversed(range(len(running))):
            job = running[row]
            if job.finish is None:
                continue
            last = running.pop()
            if job.error is not None:
                pool.wipe(row)
            if row < len(running):
                pool.move(len(running), row, len(last.prompt) + len(last.tokens) - 1)
                running[row] = last


def _rules(jobs: Sequence[Job], device: torch.device) -> tuple[Tensor, Tensor]:
    """Temperature and top_p of each job: [jobs], [jobs]."""
    rules = torch.tensor([(job.sampling.temperature, job.sampling.top_p) for job in jobs], device=device)
    return rules[:, 0], rules[:, 1]
