"""The engine on a vLLM server: one base, hundreds of adapters, the answers of the local engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from adapters.engines.protocol import (
    GenerateRequest,
    GenerateResult,
    RequestError,
    ScoreRequest,
    ScoreResult,
)
from adapters.engines.validation import RefusedError, check_id, repeated_ids
from adapters.engines.vllm.chat import ChatSpeech, RemoteBase
from adapters.engines.vllm.client.client import Endpoint, VllmClient
from adapters.engines.vllm.client.event_loop import EventLoop
from adapters.engines.vllm.client.faults import UnansweredError
from adapters.engines.vllm.handshake import meet
from adapters.engines.vllm.residency.residency import ServerResidency
from adapters.engines.vllm.residency.shelf import AdapterShelf
from adapters.engines.vllm.residency.tiers import ServerTiers
from adapters.engines.vllm.session import Ask, Session
from adapters.engines.vllm.speech import Asked, Scored, Speech
from adapters.engines.vllm.tokens import TokenSpeech
from adapters.errors import AdapterError, ServerError

if TYPE_CHECKING:
    from adapters.bases.loader import Base

WARM_PER_SLOT = 4
"""Adapters in the server's memory for each slot, where nothing else is said; as `ServerSettings` has it."""

_Request = TypeVar("_Request", GenerateRequest, ScoreRequest)
_Checked = TypeVar("_Checked", Asked, Scored)
_Result = TypeVar("_Result", GenerateResult, ScoreResult)


class VllmEngine:
    """Answers requests through a vLLM server; keeps the whole contract of `Engine`.

    Greedy replies are those of the local engine, and log-probabilities agree within 1e-4 in float32. Sampled replies
    repeat with their seeds, but a seed draws other tokens than in the local engine. vLLM takes temperatures below
    0.01 for 0.01.

    Requests without an adapter go to one that changes nothing (ZERO): on a CPU, vLLM 0.27.1 answers requests to the
    base under the adapter of a neighbour. What is wrong with one request becomes the `error` of its result; a server
    that stops answering ends the whole batch with `ServerLostError`, for nothing is known of the rest of it.

    One thread at a time may call it; the calls to the server run in a thread of the engine's own.

    Args:
        base: that the server must be serving; its weights are not read. A `RemoteBase` is asked by chat.
        endpoint: the server.
        shelf: where the server finds adapters; closed with this engine.
        max_loras: the server's slots (`--max-loras`): adapters in flight at once.
        max_cpu_loras: adapters in the server's memory (`--max-cpu-loras`); None for 4 per slot.
        served: revision, or ZERO → name, for adapters that the server has loaded itself.
        speech: how requests are put, made of the base and the context that the server takes; not asked for a
            `RemoteBase`.
        rng: shortens waits between attempts; decides nothing else.

    Raises:
        ServerError: nobody answers, another base is served, or the server cannot load adapters or keep grammars;
            each with the cure.
        AdapterError: the server cannot hold the adapter that stands for the base.
        ValueError: for numbers out of range.
    """

    def __init__(
        self,
        base: Base | RemoteBase,
        endpoint: Endpoint,
        shelf: AdapterShelf,
        *,
        max_loras: int = 64,
        max_cpu_loras: int | None = None,
        served: Mapping[str, str] | None = None,
        speech: Callable[[Base, int], Speech] = TokenSpeech,
        rng: np.random.Generator,
    ) -> None:
        warm = WARM_PER_SLOT * max_loras if max_cpu_loras is None else max_cpu_loras
        tiers = ServerTiers(max_loras, warm)
        self._base, self._max_loras, self._closed = base, max_loras, False
        self._make_speech = speech
        self._client = VllmClient(endpoint, rng)
        self._residency = ServerResidency(shelf, self._client, tiers, served=served)
        self._loop = EventLoop(f"vLLM at {endpoint.url}")
        try:
            self._loop.run(self._begin())
        except BaseException:
            self.close()
            raise

    async def _begin(self) -> None:
        try:
            met = await meet(self._client, self._base)
        except UnansweredError as error:
            raise ServerError(
                f"no vLLM server answers: {error}. Start one with `plures serve start`, or mend the url"
            ) from error
        self._residency.adopt(met.adapters)
        self._speech = self._spoken(met.context)
        self._session = Session(
            self._base, met.card, self._client, self._residency, self._speech, self._max_loras
        )
        await self._session.introduce()

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given; one that cannot be answered says why in `error`.

        Raises:
            ServerLostError: the server does not answer any more; nothing of the batch counts.
            ServerError: it answers nonsense, or refuses this client.
            StoreError: adapters cannot be read or laid out for the server.
            AdapterError: the engine is closed.
        """
        self._check_open()
        checked = _check(requests, self._speech.asked)
        return [
            GenerateResult(request.request_id, "", (), (), "error", _prompt_tokens(one), answer)
            if isinstance(answer, RequestError)
            else answer
            for request, one, answer in zip(
                requests, checked, self._answers(checked, self._speech.generate), strict=True
            )
        ]

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given; an empty one has no log-probabilities. Raises as `generate`."""
        self._check_open()
        checked = _check(requests, self._speech.scored)
        return [
            ScoreResult(request.request_id, (), _prompt_tokens(one), answer)
            if isinstance(answer, RequestError)
            else answer
            for request, one, answer in zip(
                requests, checked, self._answers(checked, self._speech.score), strict=True
            )
        ]

    def close(self) -> None:
        """End the calls to the server; its adapters stay loaded. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._loop.run(self._client.close())
        finally:
            self._loop.close()
            self._residency.close()

    def _spoken(self, context: int | None) -> Speech:
        if isinstance(self._base, RemoteBase):
            return ChatSpeech(self._base)
        return self._make_speech(self._base, context or self._base.longest)

    def _check_open(self) -> None:
        if self._closed:
            raise AdapterError("this engine is closed; make a new VllmEngine")

    def _answers(
        self,
        checked: Sequence[_Checked | RequestError],
        send: Callable[[VllmClient, _Checked, str], Awaitable[_Result]],
    ) -> list[_Result | RequestError]:
        """Answers to those that passed, and what is wrong with the others."""
        passed = {i: one for i, one in enumerate(checked) if not isinstance(one, RequestError)}
        asks = [Ask(one.request.adapter, partial(send, self._client, one)) for one in passed.values()]
        try:
            found = dict(zip(passed, self._loop.run(self._session.ask_all(asks)), strict=True))
        finally:
            self._speech.forget()
        return [one if isinstance(one, RequestError) else found[i] for i, one in enumerate(checked)]


def _check(
    requests: Sequence[_Request], check: Callable[[_Request], _Checked]
) -> list[_Checked | RequestError]:
    """Each request as it may be sent, or what is wrong with it."""
    repeated = repeated_ids(requests)
    checked: list[_Checked | RequestError] = []
    for request in requests:
        try:
            check_id(request, repeated)
            checked.append(check(request))
        except RefusedError as refusal:
            checked.append(refusal.value)
    return checked


def _prompt_tokens(one: Asked | Scored | RequestError) -> int:
    return 0 if isinstance(one, RequestError) else len(one.prompt)
