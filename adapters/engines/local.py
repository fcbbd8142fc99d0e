"""The engine inside this process: one base model, many adapters, one batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from adapters.engines.batching import divide_pool
from adapters.engines.forward import Forward
from adapters.engines.generation import DecodingLoop, Job
from adapters.engines.grammar import GrammarCompiler
from adapters.engines.kv_pool import KvPool
from adapters.engines.protocol import (
    GenerateRequest,
    GenerateResult,
    RequestError,
    ScoreRequest,
    ScoreResult,
)
from adapters.engines.replies import NOT_FINITE, reply_text, stop_ids
from adapters.engines.residency import AdapterReader, Residency
from adapters.engines.scoring import ScoreJob, score_jobs
from adapters.engines.validation import (
    Limits,
    RefusedError,
    check_generate,
    check_id,
    check_score,
    repeated_ids,
)
from adapters.errors import AdapterError, GrammarError
from adapters.lora.routing import BASE_SLOT
from adapters.training.heap import keep_freed_memory

if TYPE_CHECKING:
    from adapters.bases.loader import Base

PASS_TOKENS = 4096
"""Prompt tokens of one forward pass. More gains nothing on a CPU, whose caches activations then leave."""


class _Seats(NamedTuple):
    """Requests that run together: index → slot; and those whose adapter failed: index → error."""

    slots: dict[int, int]
    errors: dict[int, RequestError]


class LocalEngine:
    """Answers requests with a base in this process; every row of a batch has its own adapter, seed and grammar.

    What a request gets depends on the request alone, up to rounding in the model's sums: not on its
    neighbours, nor on its place. While the engine holds adapters, its slots are attached to `base.model`;
    whoever else wants to attach some (training) has to wait for `close`. One thread at a time may call it.

    Args:
        base: as `load_base` returns it.
        adapters: where revisions are opened; an `AdapterStore` fits.
        max_slots: adapters in the model at once; more distinct ones are served in waves.
        token_budget: tokens, of prompts and replies together, in memory at once; further requests wait
            and join as others finish.

    Raises:
        BaseModelError: an architecture that cannot be served in process.
        ValueError: for sizes below 1.
    """

    def __init__(
        self, base: Base, adapters: AdapterReader, *, max_slots: int = 64, token_budget: int = 32768
    ) -> None:
        for name, value in (("max_slots", max_slots), ("token_budget", token_budget)):
            if value < 1:
                raise ValueError(f"{name}: got {value}; expected at least 1")
        keep_freed_memory()  # each step needs the same buffers again
        self._base = base
        self._forward = Forward(base.model)
        self._residency = Residency(base, adapters, max_slots)
        self._limits = Limits(base.vocabulary, base.longest, token_budget)
        self._stops = stop_ids(base)
        self._compiler: GrammarCompiler | None = None
        self._pool: KvPool | None = None
        self._closed = False

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given; one that cannot be answered says why in `error`.

        Raises:
            AdapterError: the engine is closed.
        """
        self._check_open()
        repeated = repeated_ids(requests)
        jobs: dict[int, Job] = {}
        errors: dict[int, RequestError] = {}
        for i, request in enumerate(requests):
            try:
                check_id(request, repeated)
                jobs[i] = self._job(request)
            except RefusedError as refusal:
                errors[i] = refusal.value
        for seats in self._seatings({i: requests[i].adapter for i in jobs}):
            errors |= seats.errors
            for i, slot in seats.slots.items():
                jobs[i].slot = slot
            self._run([jobs[i] for i in seats.slots])
        if self._compiler is not None:
            self._compiler.forget()
        return [self._reply(request, jobs.get(i), errors.get(i)) for i, request in enumerate(requests)]

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given; an empty one has no log-probabilities.

        Raises:
            AdapterError: the engine is closed.
        """
        self._check_open()
        repeated = repeated_ids(requests)
        prompts: dict[int, tuple[int, ...]] = {}
        errors: dict[int, RequestError] = {}
        scores: dict[int, tuple[float, ...]] = {}
        for i, request in enumerate(requests):
            try:
                check_id(request, repeated)
                prompts[i] = check_score(request, self._base.encoder, self._limits)
            except RefusedError as refusal:
                errors[i] = refusal.value
        for seats in self._seatings({i: requests[i].adapter for i in prompts}):
            errors |= seats.errors
            jobs = {
                i: ScoreJob((*prompts[i], *requests[i].completion), len(prompts[i]), slot)
                for i, slot in seats.slots.items()
                if requests[i].completion
            }
            with torch.inference_mode():
                found = score_jobs(self._forward, self._residency.stack, list(jobs.values()), PASS_TOKENS)
            for i, logprobs in zip(jobs, found, strict=True):
                scores[i] = tuple(logprobs)
                if not all(map(math.isfinite, logprobs)):
                    errors[i] = RequestError("engine", NOT_FINITE)
        return [
            ScoreResult(
                request.request_id,
                scores.get(i, ()) if i not in errors else (),
                len(prompts.get(i, ())),
                errors.get(i),
            )
            for i, request in enumerate(requests)
        ]

    def close(self) -> None:
        """Take the slots out of the model; a second call does nothing."""
        self._residency.release()
        self._pool = None
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise AdapterError("this engine is closed; make a new LocalEngine")

    def _job(self, request: GenerateRequest) -> Job:
        """Raises RefusedError."""
        prompt = check_generate(request, self._base.encoder, self._limits)
        constraint = None
        if request.grammar is not None:
            try:
                constraint = self._grammars().compile(request.grammar)
            except GrammarError as error:
                raise RefusedError("bad_grammar", str(error)) from error
        return Job(prompt, request.sampling, constraint)

    def _grammars(self) -> GrammarCompiler:
        if self._compiler is None:
            self._compiler = GrammarCompiler(
                self._base.tokenizer, self._base.vocabulary, self._base.encoder.end_ids[0]
            )
        return self._compiler

    def _seatings(self, adapters: Mapping[int, str | None]) -> Iterator[_Seats]:
        """Seat requests wave by wave; those under the bare base sit in the first."""
        wanted = list(dict.fromkeys(name for name in adapters.values() if name is not None))
        on_base = dict.fromkeys((i for i, name in adapters.items() if name is None), BASE_SLOT)
        while wanted or on_base:
            wave = self._residency.next_wave(wanted)
            named = {i: name for i, name in adapters.items() if name is not None}
            yield _Seats(
                slots=on_base | {i: wave.slots[name] for i, name in named.items() if name in wave.slots},
                errors={i: wave.errors[name] for i, name in named.items() if name in wave.errors},
            )
            wanted, on_base = wave.later, {}

    def _run(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        divisions = divide_pool([job.need for job in jobs], self._limits.memory)
        loop = DecodingLoop(self._forward, self._residency.stack, self._grammars, self._stops, PASS_TOKENS)
        with torch.inference_mode():
            pool = self._pool_for(max(d.rows * d.length for d in divisions))
            for division in divisions:
                loop.run(jobs, pool, division)
        self._pool = pool

    def _pool_for(self, capacity: int) -> KvPool:
        """The pool of the call before if it is large enough; the engine has none until the call ends well."""
        pool, self._pool = self._pool, None
        if pool is not None and pool.capacity >= capacity:
            return pool
        del pool
        return self._forward.new_pool(capacity)

    def _reply(self, request: GenerateRequest, job: Job | None, error: RequestError | None) -> GenerateResult:
        error = error or (job.error if job else None)
        prompt_tokens = len(job.prompt) if job else 0
        if job is None or error is not None or job.finish is None:
            return GenerateResult(request.request_id, "", (), (), "error", prompt_tokens, error)
        return GenerateResult(
            request_id=request.request_id,
            text=reply_text(self._base.tokenizer, job.tokens, stopped=job.finish == "stop"),
            token_ids=tuple(job.tokens),
            logprobs=tuple(job.logprobs),
            finish_reason=job.finish,
            prompt_tokens=prompt_tokens,
        )
