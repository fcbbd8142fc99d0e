"""Dealings with one server: every request asked once, and what goes wrong told apart as a value or an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from adapters.engines.protocol import RequestError
from adapters.engines.validation import RefusedError, explain_adapter
from adapters.engines.vllm.client.answers import ModelCard
from adapters.engines.vllm.client.client import VllmClient
from adapters.engines.vllm.client.faults import RejectedError, UnansweredError
from adapters.engines.vllm.flight import fly
from adapters.engines.vllm.handshake import meet
from adapters.engines.vllm.residency.admission import Admission
from adapters.engines.vllm.residency.residency import ZERO, ServerResidency
from adapters.engines.vllm.speech import Speech
from adapters.errors import AdapterError, ServerError, ServerLostError, StoreError

if TYPE_CHECKING:
    from adapters.bases.loader import Base
    from adapters.engines.vllm.chat import RemoteBase

_NOT_FOUND = 404
_PROBE_GRAMMAR = "ok"
_NOTHING_COUNTS = "Nothing of this batch counts. Go on once the server is back (`plures run … --resume`)"

_T = TypeVar("_T")
_Answer = TypeVar("_Answer", covariant=True)


class Ask(NamedTuple, Generic[_Answer]):
    """One request on its way.

    Args:
        adapter: revision, or None for the bare base.
        send: takes the name that the adapter is served under.
    """

    adapter: str | None
    send: Callable[[str], Awaitable[_Answer]]


class Session:
    """One engine's dealings with its server. Everything is awaited in one event loop.

    A fault is a request's own where the server, asked a trifle right afterwards, answers that: then it becomes a value
    and the batch goes on. Where the server does not answer that either, or no request of the batch was answered, the
    batch ends with `ServerLostError`, so that an outage is never taken for something that agents did.

    Args:
        base: that is served.
        card: what the server said of it.
        client: of the server.
        residency: of the adapters on it.
        speech: how requests are put.
        max_loras: the server's slots.
    """

    def __init__(
        self,
        base: Base | RemoteBase,
        card: ModelCard,
        client: VllmClient,
        residency: ServerResidency,
        speech: Speech,
        max_loras: int,
    ) -> None:
        self._base, self._card, self._client, self._residency = base, card, client, residency
        self._speech, self._max_loras = speech, max_loras
        self._probing = asyncio.Lock()

    async def introduce(self) -> None:
        """See that the server loads adapters and keeps grammars, with the adapter that changes nothing.

        Raises:
            ServerError: it does not; with the cure.
            AdapterError: it cannot hold that adapter.
        """
        async with self._residency.using(ZERO) as name:
            try:
                await self._speech.probe(self._client, name, _PROBE_GRAMMAR)
            except (UnansweredError, RejectedError, RefusedError) as error:
                if isinstance(error, UnansweredError) and error.for_all:
                    raise
                raise ServerError(
                    f"{self._client.endpoint.url}: the server does not keep grammars of llguidance ({error}). "
                    f"Start it with --structured-outputs-config.backend guidance, as `plures serve start` does."
                ) from error

    async def ask_all(self, asks: Sequence[Ask[_T]]) -> list[_T | RequestError]:
        """Ask for everything, each when its adapter may be on the server; results are in the order of `asks`.

        Raises:
            ServerLostError: the server does not answer any more.
            ServerError: it answers nonsense, or refuses this client.
            StoreError: adapters cannot be read or laid out for the server.
        """
        if asks:
            await self._check_same()
        results: dict[int, _T | RequestError] = {}
        unanswered: dict[int, UnansweredError] = {}

        async def ask(index: int) -> None:
            try:
                results[index] = await self._one(asks[index])
            except UnansweredError as error:
                await self._check_others(error)
                results[index], unanswered[index] = RequestError("engine", str(error)), error

        admission = Admission(
            self._max_loras, max_requests=self._client.endpoint.requests, near=self._residency.near
        )
        adapters = [ask.adapter or ZERO for ask in asks]
        await fly(adapters, ask, admission, self._residency, ahead=self._max_loras)
        if 1 < len(unanswered) == len(asks):
            raise _lost(next(iter(unanswered.values())))
        return [results[index] for index in range(len(asks))]

    async def _one(self, ask: Ask[_T]) -> _T | RequestError:
        """The answer, or what is wrong with the request."""
        try:
            try:
                return await self._send(ask)
            except RejectedError as error:
                if error.status != _NOT_FOUND:
                    raise
                await self._check_same()
                return await self._send(ask)
        except RefusedError as refusal:
            return refusal.value
        except RejectedError as error:
            return _explain_rejection(error)
        except (ServerError, StoreError):
            raise
        except AdapterError as error:
            return explain_adapter(ask.adapter or ZERO, self._base, error)

    async def _send(self, ask: Ask[_T]) -> _T:
        async with self._residency.using(ask.adapter or ZERO) as name:
            try:
                return await ask.send(name)
            except RejectedError as error:
                if error.status == _NOT_FOUND:
                    self._residency.forget(name)
                raise

    async def _check_same(self) -> None:
        """See that the base is still the one that it was: a server may be started anew while nobody asks it."""
        try:
            await meet(self._client, self._base, self._card)
        except UnansweredError as error:
            raise _lost(error) from error

    async def _check_others(self, error: UnansweredError) -> None:
        """Return if the server answers other requests."""
        if error.for_all:
            raise _lost(error) from error
        async with self._probing:
            try:
                async with self._residency.using(ZERO) as name:
                    await self._speech.probe(self._client, name)
            except AdapterError as failure:
                raise _lost(error) from failure


def _lost(error: UnansweredError) -> ServerLostError:
    return ServerLostError(f"the vLLM server is lost: {error}. {_NOTHING_COUNTS}")


def _explain_rejection(error: RejectedError) -> RequestError:
    words = f"the server refused it ({error.status}): {error}"
    if error.status == _NOT_FOUND:
        raise ServerLostError(f"the vLLM server forgets its adapters: {error}. {_NOTHING_COUNTS}") from error
    if error.about == "input_tokens":
        return RequestError("prompt_too_long", words)
    if "grammar" in str(error).lower():
        return RequestError("bad_grammar", words)
    return RequestError("bad_request", words)
