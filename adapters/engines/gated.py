"""An engine that serves an adapter only after it has answered a canary, and warms new ones in the background."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from adapters.engines.canary import CANARY_PREFIX, Canary
from adapters.engines.protocol import (
    Engine,
    GenerateRequest,
    GenerateResult,
    RequestError,
    ScoreRequest,
    ScoreResult,
)
from adapters.engines.write_behind import StateBook, WriteBehind
from adapters.errors import AdapterError
from adapters.store.catalog.states import State

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter

ADMITTED: frozenset[State] = frozenset({"ready", "served"})
"""The states in which an adapter answers requests."""

_Request = TypeVar("_Request", GenerateRequest, ScoreRequest)


class Prefetcher(Protocol):
    """What brings adapters from storage in the background; `TieredAdapters` fits."""

    def prefetch(self, revision: str) -> Future[Adapter]:
        """Begin, unless the queue is full (`NotReadyError`)."""
        ...


@dataclass(frozen=True, slots=True)
class Gates:
    """How many canaries may ride on a batch.

    Args:
        canary: what each new revision is asked.
        per_batch: new revisions judged with one batch of requests, at least 1: each costs the batch a row.
        seats: adapters that the inner engine holds at once (its `max_slots`). A batch that already needs all
            of them carries no canary, which would cost it a whole wave more.

    Raises:
        ValueError: for numbers below 1.
    """

    canary: Canary
    per_batch: int = 2
    seats: int = 64

    def __post_init__(self) -> None:
        for name in ("per_batch", "seats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}; expected at least 1")


class GatedEngine:
    """Answers for revisions that are ready or served; others get a `not_ready` error and may ask again.

    `prewarm` has a new revision read in the background; its canary then rides on the next batch of `generate`,
    so that requests to ready adapters never wait for a load. States are written behind the back of requests, and
    all of them by `settle` and `close`. One thread at a time may call it.

    Args:
        inner: the engine that does the work; closed with this one.
        adapters: the tiers that `inner` reads from.
        states: where the states of revisions are kept.
        gates: the canary and its limits.

    Source: readiness gates as in MinT, arXiv 2605.13779; canaries that ride on batches are ours.
    """

    def __init__(self, inner: Engine, adapters: Prefetcher, states: StateBook, gates: Gates) -> None:
        self._inner, self._adapters, self._gates = inner, adapters, gates
        self._states = WriteBehind(states)
        self._loading: dict[str, Future[Adapter]] = {}

    @property
    def prewarming(self) -> tuple[str, ...]:
        """Revisions on their way to being ready, in the order in which they were asked for."""
        return tuple(self._loading)

    def prewarm(self, revision: str) -> None:
        """Set a registered or evicted revision on its way; returns at once.

        Asking twice changes nothing, nor does asking for one that another engine has made ready.

        Raises:
            NotReadyError: the load queue is full; nothing changed, ask again after its `retry_after`.
            StateError: the revision is retired.
        """
        if revision in self._loading:
            return
        state = self._states.of_each([revision]).get(revision)
        if state in ADMITTED:
            return
        job = self._adapters.prefetch(revision)
        if state == "prewarming":
            self._states.move(revision, "registered", "whoever prewarmed it has gone")
        self._states.move(revision, "prewarming", "asked for")
        self._loading[revision] = job

    def settle(self, timeout: float | None = None) -> None:
        """Wait for the loads under way, then run the canaries that are due, as when there is no traffic.

        Afterwards every state that this engine has changed is written.

        Args:
            timeout: seconds to wait for loads; None waits for all of them.
        """
        wait(self._loading.values(), timeout)
        while canaries := self._due(seats_taken=0):
            self._judge(canaries, self._inner.generate([self._gates.canary.request(r) for r in canaries]))
        self._states.flush()

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given; those of adapters that are not ready say so in `error`."""
        refused = self._refusals(requests)
        admitted = [request for i, request in enumerate(requests) if i not in refused]
        canaries = self._due(seats_taken=len({r.adapter for r in admitted if r.adapter is not None}))
        answers = self._inner.generate([*admitted, *map(self._gates.canary.request, canaries)])
        self._judge(canaries, answers[len(admitted) :])
        replies = iter(answers)
        return [
            GenerateResult(request.request_id, "", (), (), "error", 0, refused[i])
            if i in refused
            else next(replies)
            for i, request in enumerate(requests)
        ]

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given; those of adapters that are not ready say so in `error`."""
        refused = self._refusals(requests)
        replies = iter(self._inner.score([r for i, r in enumerate(requests) if i not in refused]))
        return [
            ScoreResult(request.request_id, (), 0, refused[i]) if i in refused else next(replies)
            for i, request in enumerate(requests)
        ]

    def close(self) -> None:
        """Put what is on its way back to registered and close the inner engine."""
        try:
            for revision in self.prewarming:
                self._decide(revision, "registered", "the engine was closed")
        finally:
            try:
                self._states.close()
            finally:
                self._inner.close()

    def _refusals(self, requests: Sequence[_Request]) -> dict[int, RequestError]:
        """Index → error; adapters that the states do not know are left to the inner engine."""
        states = self._states.of_each({r.adapter for r in requests if r.adapter is not None})
        refused = {}
        for i, request in enumerate(requests):
            state = states.get(request.adapter) if request.adapter is not None else None
            if request.request_id.startswith(CANARY_PREFIX):
                refused[i] = RequestError(
                    "bad_request",
                    f"{request.request_id!r}: ids that begin with {CANARY_PREFIX!r} are reserved",
                )
            elif state is not None and state not in ADMITTED:
                refused[i] = RequestError("not_ready", _explain(request.adapter, state))
        return refused

    def _due(self, *, seats_taken: int) -> list[str]:
        """Revisions whose files were read and whose canaries have room; failed loads are given up."""
        loaded = []
        for revision, job in list(self._loading.items()):
            if not job.done():
                continue
            error = job.exception()
            if isinstance(error, AdapterError):
                self._decide(revision, "registered", f"it cannot be read: {error}")
            elif error is not None:
                self._decide(revision, "registered", f"reading it failed: {error!r}")
                raise error
            else:
                loaded.append(revision)
        return loaded[: max(0, min(self._gates.per_batch, self._gates.seats - seats_taken))]

    def _judge(self, revisions: Sequence[str], answers: Sequence[GenerateResult]) -> None:
        for revision, answer in zip(revisions, answers, strict=True):
            objection = self._gates.canary.objection(answer)
            if objection is None:
                self._decide(revision, "ready", "its canary passed")
            else:
                self._decide(revision, "registered", f"its canary failed: {objection}")

    def _decide(self, revision: str, to: State, reason: str) -> None:
        """End a prewarming, unless somebody else did in the meantime, as by retiring the revision."""
        del self._loading[revision]
        if self._states.of_each([revision]).get(revision) == "prewarming":
            self._states.move(revision, to, reason)


def _explain(revision: str | None, state: State) -> str:
    cure = {
        "registered": "prewarm it first",
        "evicted": "prewarm it again",
        "retired": "un-retire it, or ask for another revision",
    }.get(state, "ask again soon")
    return f"adapter {revision} is {state} and does not serve; {cure}"
