"""A vLLM-like HTTP server inside the test process, with faults that happen when a test says so."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from adapters.bases.loader import Base
from tests.adapters.engines.vllm.fake_model import Answer, FakeModel, failure

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
LOAD, UNLOAD, MODELS = "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/v1/models"
API_KEY = "fake-key"
_JSON = {"Content-Type": "application/json"}
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Call:
    """One request that the server got."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]


class Fault(Protocol):
    """What happens to a call in place of an answer, or to its answer."""

    def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange, or leave it without an answer."""
        ...


@dataclass(frozen=True)
class Fail:
    """Answer with an error status."""

    status: int
    payload: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, exchange: Exchange) -> None:
        """Send it."""
        default = failure(self.status, "made up by a test", "InternalServerError").payload
        exchange.send(Answer(self.status, default if self.payload is None else self.payload, self.headers))


@dataclass(frozen=True)
class Say:
    """Answer 200 with a text of one's own, such as one that is no JSON."""

    text: str

    def __call__(self, exchange: Exchange) -> None:
        """Send it."""
        exchange.send(Answer(200, self.text, _JSON))


@dataclass(frozen=True)
class Edit:
    """Change the true answer before it is sent."""

    change: Callable[[Any], Any]

    def __call__(self, exchange: Exchange) -> None:
        """Send the changed payload."""
        answer = exchange.answer()
        exchange.send(answer._replace(payload=self.change(answer.payload)))


@dataclass(frozen=True)
class Slow:
    """Answer late."""

    seconds: float

    def __call__(self, exchange: Exchange) -> None:
        """Wait, then send the true answer."""
        time.sleep(self.seconds)
        exchange.send(exchange.answer())


class Hang:
    """Never answer; ends when the client leaves or the server does."""

    def __call__(self, exchange: Exchange) -> None:
        """Wait."""
        exchange.wait_for_departure()


class Drop:
    """Break the connection in the middle of the true answer."""

    def __call__(self, exchange: Exchange) -> None:
        """Send half."""
        exchange.send(exchange.answer(), share=0.5)
        exchange.cut()


class Die:
    """The whole server goes, with every connection, like a process that is killed."""

    def __call__(self, exchange: Exchange) -> None:
        """Kill it."""
        exchange.fake.kill()


@dataclass
class _Plan:
    fault: Fault
    path: str
    left: float
    when: Callable[[Call], bool]


class FakeServer:
    """Serves a base and adapters over HTTP on 127.0.0.1, from construction until `close`; a context manager.

    Args:
        base: for this server alone.
        served_name: of the base.
        api_key: that requests must carry.
        runtime_loading: False answers as a server without VLLM_ALLOW_RUNTIME_LORA_UPDATING.
        max_lora_rank: see `FakeModel`.
        context: see `FakeModel`.

    Attributes:
        calls: every request with its body, in the order of arrival.
        departed: requests whose client left before it had its answer.
    """

    def __init__(
        self,
        base: Base,
        *,
        served_name: str = "base",
        api_key: str = API_KEY,
        runtime_loading: bool = True,
        max_lora_rank: int = 8,
        context: int | None = None,
    ) -> None:
        self.model = FakeModel(base, served_name=served_name, max_lora_rank=max_lora_rank, context=context)
        self.api_key, self.runtime_loading = api_key, runtime_loading
        self.calls: list[Call] = []
        self.departed = 0
        self.stopping = threading.Event()
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._http = _Http(("127.0.0.1", 0), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_POLL_SECONDS,), name="fake vLLM", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def plan(
        self,
        fault: Fault,
        path: str = COMPLETIONS,
        *,
        times: float = 1,
        when: Callable[[Call], bool] = lambda _: True,
    ) -> None:
        """Let a fault happen to the next calls of a path; earlier plans come first.

        Args:
            fault: what happens.
            path: of the calls.
            times: how often; infinity for always.
            when: which calls.
        """
        with self._lock:
            self._plans.append(_Plan(fault, path, times, when))

    def heal(self) -> None:
        """Forget all plans."""
        with self._lock:
            self._plans.clear()

    def bodies(self, path: str = COMPLETIONS) -> list[Mapping[str, Any]]:
        """Bodies of the calls of a path so far."""
        with self._lock:
            return [call.body for call in self.calls if call.path == path]

    def kill(self) -> None:
        """Stop at once: connections are reset, and nothing listens any more."""
        self.stopping.set()
        self._http.socket.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            reset(connection)

    def close(self) -> None:
        """Stop and free the base; a second call does nothing."""
        if not self.stopping.is_set():
            self.kill()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self.model.close()

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def note(self, call: Call) -> Fault | None:
        """Record a call; the fault that is due for it, if any."""
        with self._lock:
            self.calls.append(call)
            for plan in self._plans:
                if plan.path == call.path and plan.left >= 1 and plan.when(call):
                    plan.left -= 1
                    return plan.fault
        return None

    def opened(self, connection: socket.socket) -> None:
        """A connection has come."""
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """A connection has gone."""
        with self._lock:
            self._connections.discard(connection)

    def left_waiting(self) -> None:
        """A client did not wait for its answer."""
        with self._lock:
            self.departed += 1


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], fake: FakeServer) -> None:
        self.fake = fake
        super().__init__(address, Exchange)

    def get_request(self) -> tuple[socket.socket, Any]:
        if self.fake.stopping.is_set():
            raise OSError("this server is stopping")
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are part of the tests."""
        if not self.fake.stopping.is_set():
            super().handle_error(request, client_address)


class Exchange(BaseHTTPRequestHandler):
    """One connection; holds the call under way."""

    protocol_version = "HTTP/1.1"
    server: Any

    @property
    def fake(self) -> FakeServer:
        """The server it belongs to."""
        fake: FakeServer = self.server.fake
        return fake

    def setup(self) -> None:
        super().setup()
        self.fake.opened(self.connection)

    def finish(self) -> None:
        self.fake.closed(self.connection)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError, OSError, ValueError):
            super().handle()

    def do_GET(self) -> None:
        """Health, version and models."""
        self._exchange({})

    def do_POST(self) -> None:
        """Everything else."""
        length = int(self.headers.get("Content-Length", "0"))
        self._exchange(json.loads(self.rfile.read(length)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        """Say nothing."""

    def answer(self) -> Answer:
        """The true answer to the call under way."""
        model, body = self.fake.model, self.call.body
        loading = self.fake.runtime_loading
        match self.path:
            case "/health":
                return Answer(200)
            case "/version":
                return Answer(200, {"version": "0.27.1"})
            case path if path.startswith("/v1") and self._key() != f"Bearer {self.fake.api_key}":
                return Answer(401, {"error": "Unauthorized"})
            case "/v1/models":
                return model.models()
            case "/v1/completions":
                return model.complete(body)
            case "/v1/chat/completions":
                return model.chat(body)
            case "/v1/load_lora_adapter" if loading:
                return model.load(body)
            case "/v1/unload_lora_adapter" if loading:
                return model.unload(body)
            case "/tokenize":
                return model.tokenize(body)
        return Answer(404, {"detail": "Not Found"})

    def send(self, answer: Answer, *, share: float = 1.0) -> None:
        """Send an answer, or the first part of its body."""
        payload = answer.payload
        text = "" if payload is None else payload if isinstance(payload, str) else json.dumps(payload)
        content = text.encode()
        try:
            self.send_response(answer.status)
            kind = {} if isinstance(payload, str | None) else _JSON
            for name, value in {**kind, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: round(len(content) * share)])
        except ConnectionError:
            self.fake.left_waiting()
            self.close_connection = True

    def cut(self) -> None:
        """End the connection here."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def wait_for_departure(self) -> None:
        """Until the client has left, or the server has to stop."""
        while not self.fake.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], _POLL_SECONDS)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                self.fake.left_waiting()
                break
        self.close_connection = True

    def _exchange(self, body: Mapping[str, Any]) -> None:
        self.call = Call(self.path, body, dict(self.headers))
        fault = self.fake.note(self.call)
        if fault is None:
            self.send(self.answer())
        else:
            fault(self)

    def _key(self) -> str:
        return self.headers.get("Authorization", "")


def reset(connection: socket.socket) -> None:
    """Close with a reset, as a killed process does."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
