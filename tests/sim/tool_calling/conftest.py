"""A vLLM-like server whose models call tools as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from adapters.bases.loader import load_base
from tests.adapters.engines.vllm.fake_model import Answer
from tests.adapters.engines.vllm.fake_server import CHAT, Call, Exchange, FakeServer


class Says(NamedTuple):
    """What a model answers: words, and calls as (name, arguments as text); `logprob` is the last token's."""

    content: str | None = None
    calls: tuple[tuple[str, str], ...] = ()
    finish: str | None = None
    logprob: float | None = -0.25


class Scripted:
    """Answers chats by a script in place of the model; a lock keeps what was asked in one piece.

    Args:
        script: takes the body of a request.
    """

    def __init__(self, script: Callable[[Mapping[str, Any]], Says | int]) -> None:
        self._script, self._lock = script, threading.Lock()
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, exchange: Exchange) -> None:
        """Send the answer, or an error status."""
        body = exchange.call.body
        with self._lock:
            self.asked.append(body)
            said = self._script(body)
        if isinstance(said, int):
            exchange.send(Answer(said, {"error": {"message": "scripted", "code": said}}))
        else:
            exchange.send(Answer(200, _completion(body["model"], said)))


def is_agents(call: Call) -> bool:
    """Whether an agent asks, and not the engine whether there are tools."""
    return len(call.body["tools"]) > 1


def _completion(model: str, said: Says) -> dict[str, Any]:
    calls = [
        {"id": f"call-{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(said.calls)
    ]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said.content, "tool_calls": calls},
        "finish_reason": said.finish or ("tool_calls" if calls else "stop"),
        "logprobs": {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": said.logprob}]},
        "token_ids": [7, 2],
    }
    return {
        "model": model,
        "choices": [choice],
        "prompt_token_ids": list(range(30)),
        "usage": {"prompt_tokens": 30, "completion_tokens": 2, "total_tokens": 32},
    }


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(load_base("tiny-moe")) as running:
        yield running


@pytest.fixture
def script(server: FakeServer) -> Callable[[Callable[[Mapping[str, Any]], Says | int]], Scripted]:
    """Makes the server's models follow a script from now on."""

    def follow(answers: Callable[[Mapping[str, Any]], Says | int]) -> Scripted:
        scripted = Scripted(answers)
        server.plan(scripted, CHAT, times=float("inf"), when=is_agents)
        return scripted

    return follow
