"""The client sends again what can be sent again, and says what a refusal means."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from adapters.bases.loader import Base
from adapters.engines.protocol import Sampling
from adapters.engines.vllm.client import bodies
from adapters.engines.vllm.client.client import Endpoint, VllmClient
from adapters.engines.vllm.client.faults import NonsenseError, RejectedError, UnansweredError
from adapters.errors import ServerError, UnsupportedAdapterError
from adapters.lora.adapter import Adapter
from adapters.lora.peft_io import write_peft
from adapters.lora.spec import LoraSpec
from tests.adapters.engines.random_adapters import random_adapter
from tests.adapters.engines.vllm.fake_server import (
    COMPLETIONS,
    LOAD,
    MODELS,
    Drop,
    Edit,
    Fail,
    FakeServer,
    Hang,
    Say,
)
from tests.adapters.engines.vllm.serving import endpoint

_T = TypeVar("_T")
BODY = bodies.generation("base", (1, 2, 3), Sampling(2, temperature=0), frozenset({256}), None)


def asked(at: Endpoint, ask: Callable[[VllmClient], Awaitable[_T]]) -> _T:
    """What a client gets, which is closed afterwards."""

    async def work() -> _T:
        client = VllmClient(at, np.random.default_rng(0))
        try:
            return await ask(client)
        finally:
            await client.close()

    return asyncio.run(work())


def completion(at: Endpoint) -> Any:
    return asked(at, lambda client: client.complete(BODY))


@pytest.mark.parametrize("fault", [Fail(500), Fail(502), Fail(503), Fail(504), Fail(429), Drop()])
def test_what_may_pass_is_asked_again(server: FakeServer, fault: Any) -> None:
    server.plan(fault, times=2)
    assert len(completion(endpoint(server)).choices[0].token_ids) == 2
    assert len(server.bodies()) == 3
    assert server.bodies()[0] == server.bodies()[2]


@pytest.mark.parametrize(
    ("fault", "for_all"),
    [
        (Fail(500), False),
        (Drop(), False),
        (Fail(502), True),
        (Fail(503), True),
        (Fail(504), True),
        (Fail(429), True),
    ],
)
def test_what_does_not_pass_is_given_up_after_so_many_attempts(
    server: FakeServer, fault: Any, for_all: bool
) -> None:
    """An overloaded server is everybody's trouble; a 500 or a broken connection may be this request's own."""
    server.plan(fault, times=math.inf)
    with pytest.raises(UnansweredError, match="tried 3 times") as caught:
        completion(endpoint(server))
    assert caught.value.for_all is for_all
    assert len(server.bodies()) == 3


def test_a_server_that_is_gone_is_everybodys_trouble(server: FakeServer) -> None:
    at = endpoint(server)
    server.kill()
    with pytest.raises(UnansweredError, match="no connection") as caught:
        completion(at)
    assert caught.value.for_all


def test_a_request_that_hangs_is_given_up_at_its_timeout_and_not_repeated(server: FakeServer) -> None:
    server.plan(Hang())
    with pytest.raises(UnansweredError, match=r"no answer within 0\.2 s \(tried once\)") as caught:
        completion(endpoint(server, timeout=0.2))
    assert not caught.value.for_all
    assert len(server.bodies()) == 1


def test_retry_after_is_waited_for(server: FakeServer) -> None:
    server.plan(Fail(429, headers={"Retry-After": "1"}))
    start = time.monotonic()
    completion(endpoint(server))
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_refusals_are_final_and_keep_the_servers_words(server: FakeServer, status: int) -> None:
    server.plan(Fail(status))
    with pytest.raises(RejectedError, match="made up by a test") as caught:
        completion(endpoint(server))
    assert caught.value.status == status
    assert len(server.bodies()) == 1


def test_a_wrong_key_is_named_and_never_shown(server: FakeServer) -> None:
    with pytest.raises(ServerError, match="API key") as caught:
        completion(endpoint(server, api_key="swordfish"))
    assert "swordfish" not in str(caught.value) + repr(endpoint(server, api_key="swordfish"))


@pytest.mark.parametrize(
    "fault",
    [
        Say("<html>it works</html>"),
        Say('{"half": '),
        Say("[]"),
        Say('{"model": "base", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}'),
        Fail(302, ""),
        Edit(lambda answer: {**answer, "usage": {"prompt_tokens": "3", "completion_tokens": 2}}),
    ],
)
def test_an_answer_that_is_none_is_refused_at_once(server: FakeServer, fault: Any) -> None:
    server.plan(fault)
    with pytest.raises(NonsenseError, match="expected"):
        completion(endpoint(server))
    assert len(server.bodies()) == 1


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_url_is_taken_with_and_without_its_version(server: FakeServer, suffix: str) -> None:
    at = Endpoint(server.url + suffix, server.api_key)
    assert [card.id for card in asked(at, lambda client: client.models())] == ["base"]


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://there", "http://", "http://a b", "http://me@there"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ServerError, match="expected one like"):
        Endpoint(url)


@pytest.mark.parametrize("bad", [{"timeout": 0.0}, {"requests": 0}])
def test_impossible_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Endpoint("http://127.0.0.1:1", **bad)


def test_health_is_asked_once(server: FakeServer) -> None:
    at = endpoint(server)
    assert asked(at, lambda client: client.health())
    server.plan(Fail(503, ""), "/health")
    assert not asked(at, lambda client: client.health())
    server.kill()
    assert not asked(at, lambda client: client.health())


@pytest.fixture
def folder(base: Base, tmp_path: Path) -> Path:
    write_peft(random_adapter(base.model, 0), tmp_path / "a", base_ref="base")
    return tmp_path / "a"


def load(server: FakeServer, name: str, path: Path) -> None:
    asked(endpoint(server), lambda client: client.load_adapter(name, path))


def test_an_adapter_gets_a_name_and_loses_it(server: FakeServer, folder: Path) -> None:
    load(server, "a", folder)
    assert server.model.folders == {"a": str(folder)}
    for _ in range(2):  # taking away what is not there is fine
        asked(endpoint(server), lambda client: client.unload_adapter("a"))
    assert server.model.folders == {}


def test_loading_twice_from_one_folder_is_loading_once(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    """As when the answer to the first attempt was lost; another folder under the name is another adapter."""
    server.plan(Drop(), LOAD)
    load(server, "a", folder)
    assert len(server.bodies(LOAD)) == 2
    with pytest.raises(ServerError, match="is loaded from"):
        load(server, "a", tmp_path / "b")


def test_a_server_without_runtime_loading_is_named_with_the_cure(own_base: Base, folder: Path) -> None:
    with (
        FakeServer(own_base, runtime_loading=False) as server,
        pytest.raises(ServerError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
    ):
        load(server, "a", folder)


def test_a_folder_that_the_server_does_not_see_is_named(server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=f"cannot see {tmp_path / 'elsewhere'}"):
        load(server, "a", tmp_path / "elsewhere")


def test_an_adapter_that_the_server_cannot_hold_is_the_adapters_fault(
    server: FakeServer, base: Base, tmp_path: Path
) -> None:
    """The engine of the server is well: nothing is tried again."""
    big: Adapter = random_adapter(base.model, 0, LoraSpec(rank=16))
    write_peft(big, tmp_path / "big", base_ref="base")
    with pytest.raises(UnsupportedAdapterError, match="rank 16 is greater than max_lora_rank 8"):
        load(server, "big", tmp_path / "big")
    assert len(server.bodies(LOAD)) == 1


def test_nothing_is_left_to_the_servers_defaults(server: FakeServer) -> None:
    """A base's generation_config.json may bring a temperature, penalties and cuts along."""
    completion(endpoint(server))
    (body,) = server.bodies(COMPLETIONS)
    expected = {
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 1,
        "seed": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "ignore_eos": True,
        "stop_token_ids": [256],
    }
    assert {key: body[key] for key in expected} == expected


def test_the_models_are_read_with_their_folders(server: FakeServer, folder: Path) -> None:
    load(server, "a", folder)
    base, adapter = asked(endpoint(server), lambda client: client.models())
    assert (base.id, base.parent, base.max_model_len) == ("base", None, 256)
    assert (adapter.id, adapter.parent, adapter.root) == ("a", "base", str(folder))
    server.plan(Say('{"data": [{"id": 7}]}'), MODELS)
    with pytest.raises(NonsenseError, match="id"):
        asked(endpoint(server), lambda client: client.models())
