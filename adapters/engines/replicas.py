"""Several engines as one: every adapter has its replica, so that each server keeps few adapters, and keeps them hot."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import TypeVar

from adapters.engines.protocol import (
    Engine,
    GenerateRequest,
    GenerateResult,
    RequestError,
    ScoreRequest,
    ScoreResult,
)
from adapters.engines.validation import RefusedError, check_id, repeated_ids
from adapters.errors import AdapterError, ServerLostError

_Request = TypeVar("_Request", GenerateRequest, ScoreRequest)
_Result = TypeVar("_Result", GenerateResult, ScoreResult)


def assign(adapters: Sequence[str | None], replicas: Sequence[str], slack: float) -> list[str]:
    """Which replica answers each request of a batch; a function of its arguments alone.

    An adapter goes to the replica of the highest hash of both names, so that a replica more or less moves only the
    adapters that it gains or loses. No replica gets more than (1 + slack) times its share of the batch, rounded up:
    what is beyond goes to the adapter's next replica. Requests to the base go to whoever has least.

    Args:
        adapters: of each request; None is the base.
        replicas: names, at least one, all different.
        slack: ≥ 0.

    Source: rendezvous hashing, Thaler and Ravishankar 1998, doi 10.1109/90.663936; the bound on loads as in Mirrokni,
    Thorup and Zadimoghaddam 2018, arXiv 1608.01350.
    """
    most = math.ceil((1 + slack) * len(adapters) / len(replicas))
    load = Counter(dict.fromkeys(replicas, 0))
    chosen: dict[int, str] = {}
    order = {name: _preference(name, replicas) for name in dict.fromkeys(adapters) if name is not None}
    for i, adapter in enumerate(adapters):
        if adapter is not None:
            chosen[i] = next(replica for replica in order[adapter] if load[replica] < most)
            load[chosen[i]] += 1
    for i, adapter in enumerate(adapters):
        if adapter is None:
            chosen[i] = min(replicas, key=load.__getitem__)
            load[chosen[i]] += 1
    return [chosen[i] for i in range(len(adapters))]


class ReplicatedEngine:
    """Runs a batch on several engines at the same time, each with the adapters that are its own.

    Which replica answers depends on the batch and on the names of the replicas that are left. All of them have to serve
    the same base: then replies are the same wherever they come from, up to rounding, which on rare occasions turns
    a token; a run that has to be repeated to the bit needs the same replicas again.

    A replica that raises `ServerLostError` is out for good. Of its part of the batch nothing counts; the part is run
    by the others, and so are its adapters from then on. When none is left the error is raised. One thread at a
    time may call it.

    Args:
        replicas: name → engine, at least one; closed with this one. Names decide where adapters go: give a server
            the same name in every run.
        slack: how far a replica's part of a batch may exceed its share, ≥ 0. More keeps adapters together,
            less keeps replicas equally busy.

    Raises:
        ValueError: no replicas, or a negative slack.
    """

    def __init__(self, replicas: Mapping[str, Engine], *, slack: float = 0.25) -> None:
        if not replicas:
            raise ValueError("replicas: got none; expected at least one engine")
        if not slack >= 0:
            raise ValueError(f"slack: got {slack}; expected 0 or more")
        self._replicas, self._slack = dict(replicas), slack
        self._lost: dict[str, ServerLostError] = {}
        self._threads = ThreadPoolExecutor(len(replicas), "plures-replica")
        self._closed = False

    @property
    def lost(self) -> Mapping[str, str]:
        """Replicas that are out, with the reason."""
        return {name: str(self._lost[name]) for name in self._replicas if name in self._lost}

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given.

        Raises:
            ServerLostError: no replica is left.
            AdapterError: what a replica raises otherwise, or the engine is closed.
        """
        return self._run(requests, lambda engine, part: engine.generate(part), _no_reply)

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given. Raises as `generate`."""
        return self._run(requests, lambda engine, part: engine.score(part), _no_score)

    def close(self) -> None:
        """Close every replica, which ends what one is still asked after an interruption; again does nothing."""
        self._closed = True
        with ExitStack() as closing:
            closing.callback(self._threads.shutdown)  # last
            for engine in self._replicas.values():
                closing.callback(engine.close)

    def _run(
        self,
        requests: Sequence[_Request],
        ask: Callable[[Engine, list[_Request]], list[_Result]],
        refuse: Callable[[_Request, RequestError], _Result],
    ) -> list[_Result]:
        if self._closed:
            raise AdapterError("this engine is closed; make a new ReplicatedEngine")
        results: dict[int, _Result] = {}
        repeated = repeated_ids(requests)
        for i, request in enumerate(requests):
            try:
                check_id(request, repeated)
            except RefusedError as refusal:
                results[i] = refuse(request, refusal.value)
        while open_ := [i for i in range(len(requests)) if i not in results]:
            results |= self._round({i: requests[i] for i in open_}, ask)
        return [results[i] for i in range(len(requests))]

    def _round(
        self, requests: Mapping[int, _Request], ask: Callable[[Engine, list[_Request]], list[_Result]]
    ) -> dict[int, _Result]:
        """One attempt at every request; those of a replica that is lost meanwhile are missing in what is returned."""
        left = [name for name in self._replicas if name not in self._lost]
        if not left:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.lost.items())
            raise ServerLostError(f"no replica is left of {', '.join(self._replicas)} ({reasons})")
        parts: dict[str, list[int]] = {}
        chosen = assign([request.adapter for request in requests.values()], left, self._slack)
        for i, name in zip(requests, chosen, strict=True):
            parts.setdefault(name, []).append(i)
        jobs: dict[str, Future[list[_Result]]] = {
            name: self._threads.submit(ask, self._replicas[name], [requests[i] for i in part])
            for name, part in parts.items()
        }
        wait(jobs.values())
        results: dict[int, _Result] = {}
        for name, job in jobs.items():
            try:
                results |= zip(parts[name], job.result(), strict=True)
            except ServerLostError as error:
                self._lost[name] = error
        return results


def _preference(adapter: str, replicas: Sequence[str]) -> list[str]:
    """Replicas by falling hash of adapter and replica."""
    return sorted(
        replicas, key=lambda name: hashlib.sha256(f"{name}\0{adapter}".encode()).digest(), reverse=True
    )


def _no_reply(request: GenerateRequest, error: RequestError) -> GenerateResult:
    return GenerateResult(request.request_id, "", (), (), "error", 0, error)


def _no_score(request: ScoreRequest, error: RequestError) -> ScoreResult:
    return ScoreResult(request.request_id, (), 0, error)
