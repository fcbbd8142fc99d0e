"""Calls to one vLLM server over HTTP: sent again where that can help, and told apart where it cannot."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from adapters.engines.vllm.client.answers import (
    ChatCompletion,
    Completion,
    ModelCard,
    ModelList,
    Tokens,
    parse,
)
from adapters.engines.vllm.client.backoff import Backoff, retry_after
from adapters.engines.vllm.client.faults import NonsenseError, RejectedError, UnansweredError
from adapters.errors import ServerError, UnsupportedAdapterError

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 4.0
"""How long an idle connection is kept: less than vLLM does (5 s), which would close one that is just being used."""
_OTHER_CALLS = 8
"""Connections for loading adapters and for questions, beside those for requests."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OVERLOADED = (429, 502, 503, 504)
_NO_KEY = (401, 403)
_WORKER_FAILED = re.compile(r"Worker failed with error '(.*)', please check the stack trace", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is, and how patient its clients are.

    Args:
        url: `http://HOST:PORT`, with or without `/v1`.
        api_key: that it asks for; None for none.
        timeout: seconds without any answer after which a request is given up, above 0. The first requests after a
            start take long: half a minute on a CPU.
        requests: under way at the same time, at least 1.
        backoff: waits before a request is sent again.

    Raises:
        ServerError: for a url that is none.
        ValueError: for numbers out of range.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 300.0
    requests: int = 256
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", self.url):
            raise ServerError(f"url: got {self.url!r}; expected one like http://127.0.0.1:8000")
        if not self.timeout > 0:
            raise ValueError(f"timeout: got {self.timeout}; expected seconds above 0")
        if self.requests < 1:
            raise ValueError(f"requests: got {self.requests}; expected at least 1")
        object.__setattr__(self, "url", self.url.rstrip("/").removesuffix("/v1"))


class _Miss(NamedTuple):
    """An attempt that got no usable answer."""

    what: str
    for_all: bool
    again: bool = True
    asked: float = 0.0


class VllmClient:
    """One server's HTTP interface. Everything is awaited in one event loop.

    Requests are safe to repeat: a seeded request asks for the same reply again, and of two answers only one is
    ever seen. Cancelling a call closes its connection, upon which the server drops the request.

    Args:
        endpoint: the server.
        rng: shortens waits by chance; decides nothing else.
    """

    def __init__(self, endpoint: Endpoint, rng: np.random.Generator) -> None:
        self.endpoint, self._rng = endpoint, rng
        key = endpoint.api_key
        self._http = httpx.AsyncClient(
            base_url=endpoint.url,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(endpoint.timeout, connect=_CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(
                max_connections=endpoint.requests + _OTHER_CALLS, keepalive_expiry=_IDLE_SECONDS
            ),
            verify=endpoint.url.startswith("https"),  # certificates take a while to read, and http has none
            trust_env=httpx.URL(endpoint.url).host
            not in _LOOPBACK,  # a proxy cannot reach this machine's servers
        )

    async def close(self) -> None:
        """Close all connections; a second call does nothing."""
        await self._http.aclose()

    async def complete(self, body: Mapping[str, Any]) -> Completion:
        """One answer to token ids (see `bodies`).

        Raises:
            RejectedError: the server refuses this request.
            UnansweredError: it does not answer it.
            NonsenseError: it answers something else.
            ServerError: it refuses this client.
        """
        return parse(Completion, await self._post("/v1/completions", body))

    async def chat(self, body: Mapping[str, Any]) -> ChatCompletion:
        """One answer to messages; raises as `complete`."""
        return parse(ChatCompletion, await self._post("/v1/chat/completions", body))

    async def models(self) -> list[ModelCard]:
        """The base and the adapters that have a name now; raises as `complete`."""
        return parse(ModelList, await self._call("GET", "/v1/models")).data

    async def tokenize(self, model: str, text: str) -> tuple[int, ...]:
        """Token ids by the server's tokenizer; raises as `complete`."""
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        return tuple(parse(Tokens, await self._post("/tokenize", body)).tokens)

    async def load_adapter(self, name: str, path: Path) -> None:
        """Give an adapter a name; one that has this name and path already is left as it is.

        Raises:
            UnsupportedAdapterError: the server cannot hold this adapter.
            ServerError: it may not load adapters, does not see the folder, or has another under this name; and as
                `complete`.
        """
        try:
            await self._post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(path)})
        except RejectedError as error:
            await self._explain_load(name, path, error)

    async def unload_adapter(self, name: str) -> None:
        """Take a name away; one that is not there is fine. Raises as `complete`."""
        try:
            await self._post("/v1/unload_lora_adapter", {"lora_name": name})
        except RejectedError as error:
            if error.status != httpx.codes.NOT_FOUND or "cannot be found" not in str(error):
                raise

    async def health(self) -> bool:
        """Whether the server says that its engine runs; asked once."""
        try:
            return (await self._http.get("/health")).is_success
        except httpx.TransportError:
            return False

    async def _explain_load(self, name: str, path: Path, error: RejectedError) -> None:
        """Raise what a refused load means; return if the adapter is there all the same."""
        match error.status, str(error):
            case httpx.codes.NOT_FOUND, "Not Found":
                raise ServerError(
                    f"{self.endpoint.url}: this server loads no adapters while it runs. Start it with the environment "
                    f"variable VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 and --enable-lora, as `plures serve start` does."
                ) from error
            case httpx.codes.NOT_FOUND, _:
                raise ServerError(
                    f"{self.endpoint.url}: the server cannot see {path}. Adapters reach it through a folder that both "
                    f"sides share: mount it on the server's machine, and name the place where the server finds it."
                ) from error
            case httpx.codes.BAD_REQUEST, message if "already been loaded" in message:
                roots = {card.id: card.root for card in await self.models()}
                if roots.get(name) != str(path):
                    raise ServerError(
                        f"{self.endpoint.url}: {name} is loaded from {roots.get(name)}, not from {path}; "
                        f"unload it there, or use another folder for adapters"
                    ) from error
            case httpx.codes.INTERNAL_SERVER_ERROR, message:
                raise UnsupportedAdapterError(
                    f"the server at {self.endpoint.url} cannot load it: {message}"
                ) from error
            case _:
                raise error

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._call("POST", path, body)

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The payload of a successful answer."""
        backoff = self.endpoint.backoff
        for attempt in range(1, backoff.attempts + 1):
            outcome = await self._attempt(method, path, body)
            if not isinstance(outcome, _Miss):
                return outcome
            if attempt == backoff.attempts or not outcome.again:
                break
            await asyncio.sleep(backoff.wait(attempt, float(self._rng.random()), outcome.asked))
        times = "once" if attempt == 1 else f"{attempt} times"
        raise UnansweredError(
            f"{self.endpoint.url}{path}: {outcome.what} (tried {times})", for_all=outcome.for_all
        )

    async def _attempt(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            response = await self._http.request(method, path, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return _Miss(f"no connection ({error or type(error).__name__})", for_all=True)
        except httpx.TimeoutException:
            return _Miss(f"no answer within {self.endpoint.timeout:g} s", for_all=False, again=False)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            return _Miss(f"the connection broke ({error or type(error).__name__})", for_all=False)
        except httpx.HTTPError as error:
            raise ServerError(f"{self.endpoint.url}{path}: cannot be asked ({error})") from error
        return self._read(path, response)

    def _read(self, path: str, response: httpx.Response) -> Any:
        status = response.status_code
        if response.is_success:
            return self._payload(path, response)
        message, about = _words(response)
        if status in _OVERLOADED:
            asked = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            return _Miss(f"status {status}: {message}", for_all=True, asked=asked)
        if found := _WORKER_FAILED.search(message):  # about one adapter; the engine is well
            raise RejectedError(status, found[1])
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return _Miss(f"status {status}: {message}", for_all=False)
        if status in _NO_KEY:
            raise ServerError(
                f"{self.endpoint.url}: the server does not accept the API key ({message}); give the one it was "
                f"started with"
            )
        if status < httpx.codes.BAD_REQUEST:
            raise NonsenseError(f"{self.endpoint.url}{path}: got status {status}; expected an answer of vLLM")
        raise RejectedError(status, message, about)

    def _payload(self, path: str, response: httpx.Response) -> Any:
        if response.headers.get("Content-Type", "").startswith("application/json"):
            try:
                return response.json()
            except ValueError as error:
                raise NonsenseError(
                    f"{self.endpoint.url}{path}: got {response.text[:200]!r}; expected JSON"
                ) from error
        return response.text


def _words(response: httpx.Response) -> tuple[str, str | None]:
    """The server's own words in an error, and the field that it names."""
    try:
        payload = json.loads(response.text)
    except ValueError:
        return response.text[:300] or response.reason_phrase, None
    match payload:
        case {"error": {"message": str(message), **rest}}:
            param = rest.get("param")
            return message, param if isinstance(param, str) else None
        case {"error": str(message)} | {"detail": str(message)}:
            return message, None
    return str(payload)[:300], None
