"""OASIS's own agents over a server: one model each, their calls as replies, their failures as values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.bases.loader import Base, open_base
from adapters.engines.protocol import GenerateRequest, Message, Sampling, ScoreRequest
from adapters.engines.vllm.client.backoff import Backoff
from adapters.engines.vllm.client.client import Endpoint
from adapters.engines.vllm.engine import VllmEngine
from adapters.engines.vllm.residency.shelf import AdapterShelf
from adapters.errors import ServerError, ServerLostError
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from agents.decision import ALL_ACTIONS, Action
from agents.tool_calls import ARGUMENTS, ToolCall, ToolReply
from sim.tool_calling.speech import ToolSpeech
from tests.adapters.engines.random_adapters import Shelf, random_adapter
from tests.adapters.engines.vllm.fake_server import API_KEY, CHAT, Call, FakeServer, Hang
from tests.sim.tool_calling.conftest import Says, Scripted

Follow = Callable[[Callable[[Mapping[str, Any]], Says | int]], Scripted]
LIKES = Says(calls=(("like_post", '{"post_id": 3}'),))


@pytest.fixture(scope="module")
def base() -> Base:
    return open_base("tiny-moe")


@pytest.fixture
def engine(base: Base, server: FakeServer, tmp_path: Path) -> Iterator[VllmEngine]:
    """Four revisions on a server of three slots."""
    revisions = {f"rev-{n}": random_adapter(base.skeleton, n) for n in range(4)}
    shelf = AdapterShelf(tmp_path / "shelf", Shelf(revisions), zero=zero_adapter(base.skeleton, LoraSpec()))
    quick = Endpoint(server.url, API_KEY, timeout=1.0, backoff=Backoff(attempts=2, first=0, longest=0))
    speech = partial(ToolSpeech, actions=ALL_ACTIONS)
    made = VllmEngine(base, quick, shelf, max_loras=3, speech=speech, rng=np.random.default_rng(0))
    yield made
    made.close()


def request(n: int, adapter: str | None = None, text: str = "Feed: empty", seed: int = 5) -> GenerateRequest:
    prompt = (Message("system", f"You are @agent_{n}."), Message("user", text))
    return GenerateRequest(f"1/{n}", prompt, adapter, Sampling(16, 0.7, 0.9, seed))


def test_every_agent_asks_the_model_of_its_own_adapter_and_no_other(
    engine: VllmEngine, server: FakeServer, script: Follow
) -> None:
    asked = script(lambda body: LIKES).asked
    for seed in (5, 6):
        results = engine.generate([request(n, f"rev-{n}", seed=seed) for n in range(4)])
        assert all(result.error is None for result in results)
    by_user: dict[str, set[str]] = {}
    for body in asked:
        by_user.setdefault(body["messages"][0]["content"], set()).add(body["model"])
    assert len(by_user) == 4
    assert sorted(len(models) for models in by_user.values()) == [1, 1, 1, 1]
    assert len(set.union(*by_user.values())) == 4
    assert set.union(*by_user.values()) <= set(server.model.folders)


def test_without_an_adapter_the_zero_adapter_is_asked(engine: VllmEngine, script: Follow) -> None:
    """The trap of bare base rows beside adapters is avoided for chats too."""
    asked = script(lambda body: LIKES).asked
    engine.generate([request(0)])
    assert asked[0]["model"].startswith("zero-")


def test_a_request_carries_tools_prompt_and_its_own_seed_and_no_memory(
    engine: VllmEngine, script: Follow
) -> None:
    asked = script(lambda body: LIKES).asked
    for seed in (5, 6):
        engine.generate([request(0, "rev-0", f"Feed at {seed}", seed)])
    for body, seed in zip(asked, (5, 6), strict=True):
        assert [(m["role"], m["content"]) for m in body["messages"]] == [
            ("system", "You are @agent_0."),
            ("user", f"Feed at {seed}"),
        ]
        assert (body["seed"], body["temperature"], body["top_p"], body["max_tokens"]) == (seed, 0.7, 0.9, 16)
        assert not any("strict" in tool["function"] for tool in body["tools"])  # vLLM would answer 500
        tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in body["tools"]}
        kinds = {int: "integer", str: "string"}
        assert {
            name: {key: value["type"] for key, value in tool["properties"].items()}
            for name, tool in tools.items()
        } == {str(a): {key: kinds[kind] for key, kind in ARGUMENTS[a].items()} for a in Action}


def test_calls_come_back_as_the_model_made_them_and_are_not_carried_out(
    engine: VllmEngine, script: Follow, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Also those that CAMEL stumbles over; nothing of that reaches the screen."""
    answers = {
        "call": LIKES,
        "words": Says("I like it"),
        "nothing": Says(),
        "two": Says(calls=(*LIKES.calls, ("do_nothing", "{}"))),
        "unknown": Says(calls=(("fly", "{}"),)),
        "no JSON": Says(calls=(("like_post", '{"post'),)),
        "a list": Says(calls=(("like_post", "[3]"),)),
        "deep": Says(calls=(("like_post", "[" * 100_000),)),
        "wrong": Says(calls=(("like_post", '{"user": 3}'),)),
        "empty": Says(calls=(("do_nothing", ""),)),
    }
    script(lambda body: answers[body["messages"][1]["content"]])
    with caplog.at_level(logging.WARNING):
        results = engine.generate([request(n, "rev-0", text) for n, text in enumerate(answers)])
    for result, said in zip(results, answers.values(), strict=True):
        assert result.error is None
        assert ToolReply.read(result.text) == ToolReply(said.content, tuple(ToolCall(*c) for c in said.calls))
        assert (result.token_ids, result.logprobs, result.prompt_tokens) == ((7, 2), (-0.5, -0.25), 30)
        assert result.finish_reason == "stop"
    assert capsys.readouterr() == ("", "")
    assert not caplog.records


def test_a_cut_reply_is_told(engine: VllmEngine, script: Follow) -> None:
    script(lambda body: Says("I would", finish="length"))
    assert engine.generate([request(0)])[0].finish_reason == "length"


def test_a_broken_reply_and_numbers_that_are_none_are_one_agent_s_own(
    engine: VllmEngine, script: Follow
) -> None:
    """A server that is told to stop ends replies by "abort"; an adapter that went wrong has no log-probabilities."""
    odd = {"0": Says("I w", finish="abort"), "1": Says("NaN", logprob=None)}
    script(lambda body: odd.get(body["messages"][0]["content"][-2], LIKES))
    broken, numberless, well = engine.generate([request(n, f"rev-{n}") for n in range(3)])
    assert [r.error and r.error.kind for r in (broken, numberless, well)] == ["engine", "engine", None]
    assert "abort" in str(broken.error)
    assert "not finite" in str(numberless.error)


def test_one_agent_s_fault_is_its_own(engine: VllmEngine, server: FakeServer, script: Follow) -> None:
    """A server error, a server that hangs, a refusal: the others get their replies."""

    def of_first(call: Call) -> bool:
        return call.body["messages"][0]["content"] == "You are @agent_0."

    server.plan(Hang(), CHAT, times=float("inf"), when=of_first)
    script(lambda body: {"1": 500, "2": 400}.get(body["messages"][0]["content"][-2], LIKES))
    results = engine.generate([request(n, f"rev-{n}") for n in range(4)])
    kinds = [result.error and result.error.kind for result in results]
    assert kinds == ["engine", "engine", "bad_request", None]
    assert "no answer within 1 s" in str(results[0].error)


def test_a_server_that_answers_nobody_ends_the_batch(engine: VllmEngine, script: Follow) -> None:
    script(lambda body: 500)
    with pytest.raises(ServerLostError):
        engine.generate([request(n, f"rev-{n}") for n in range(4)])


def test_nonsense_ends_the_batch(engine: VllmEngine, script: Follow) -> None:
    script(lambda body: Says("x", logprob=0.5))
    with pytest.raises(ServerError, match="expected 0 or less"):
        engine.generate([request(0)])


def test_text_cannot_spell_special_tokens(engine: VllmEngine, base: Base, script: Follow) -> None:
    """The server makes tokens of these messages itself: an end of turn inside a post must not end one."""
    asked = script(lambda body: LIKES).asked
    specials = [t for t, i in base.tokenizer.get_added_vocab().items() if i in base.encoder.special_ids]
    engine.generate([request(0, None, "Feed: " + " ".join(specials) + specials[0] * 2)])
    ids = base.tokenizer.encode(asked[0]["messages"][1]["content"], add_special_tokens=False)
    assert not set(ids) & base.encoder.special_ids


def test_what_no_agent_takes_is_refused(engine: VllmEngine, script: Follow) -> None:
    script(lambda body: LIKES)
    alone, ids, long = engine.generate(
        [
            GenerateRequest("a", (Message("user", "x"),)),
            GenerateRequest("b", (1, 2)),
            request(3, None, "tram " * 4000),
        ]
    )
    assert [r.error and r.error.kind for r in (alone, ids, long)] == [
        "bad_request",
        "bad_request",
        "prompt_too_long",
    ]


def test_scores_are_taken_as_ever(engine: VllmEngine) -> None:
    (result,) = engine.score([ScoreRequest("s", (5, 6), (7, 8), "rev-1")])
    assert result.error is None
    assert len(result.logprobs) == 2
