"""Recorded answers of a real vLLM are read rightly, and the fake server speaks as they do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.bases.loader import Base, load_base
from adapters.engines.protocol import Sampling
from adapters.engines.vllm.client import bodies
from adapters.engines.vllm.client.answers import Completion, ModelList, parse, read_reply, read_score
from adapters.lora.peft_io import write_peft
from adapters.lora.spec import LoraSpec
from tests.adapters.engines.random_adapters import random_adapter
from tests.adapters.engines.vllm.fake_server import COMPLETIONS, LOAD, MODELS, UNLOAD, FakeServer

GOLDEN = Path(__file__).parent / "golden" / "answers.json"
ANSWERS: Mapping[str, Any] = json.loads(GOLDEN.read_text("utf-8"))["answers"]


@pytest.fixture(scope="module")
def server(
    tiny_random_folder: Path, base: Base, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FakeServer]:
    """With adapter `rev-0` loaded from a folder beside one of rank 16."""
    shelf = tmp_path_factory.mktemp("shelf")
    for name, spec in (("rev-0", LoraSpec()), ("r16", LoraSpec(rank=16))):
        write_peft(random_adapter(base.model, 0, spec), shelf / name, base_ref="base")
    with FakeServer(load_base(tiny_random_folder)) as server:
        server.model.load({"lora_name": "rev-0", "lora_path": str(shelf / "rev-0")})
        yield server


def test_a_recorded_reply_is_read() -> None:
    """Three tokens of 1784 (" ruin"), cut at the limit; logarithms as recorded."""
    answer = parse(Completion, ANSWERS["completion"]["payload"])
    prompt = answer.choices[0].prompt_token_ids
    reply = read_reply(answer, model="rev-0", prompt=prompt, most=3, stops=frozenset({2}), vocabulary=4096)
    assert (reply.token_ids, reply.finish) == ((1784,) * 3, "length")
    assert reply.logprobs == (-2.1027297973632812, -0.8798554539680481, -0.6233726739883423)


def test_a_recorded_score_is_read() -> None:
    """Seven prompt log-probabilities of the completion and that of the token which ends it, -7.52."""
    answer = parse(Completion, ANSWERS["scoring"]["payload"])
    ids = (*answer.choices[0].prompt_token_ids, 2)
    scores = read_score(answer, model="rev-0", ids=ids, start=13)
    assert len(scores) == 8
    assert (scores[0], scores[-1]) == (-7.595087051391602, -7.5233893394470215)


def test_recorded_models_are_read() -> None:
    base, adapter = parse(ModelList, ANSWERS["models"]["payload"]).data
    assert (base.id, base.parent, base.max_model_len, base.root) == ("base", None, 2048, "/models/tiny_moe")
    assert (adapter.id, adapter.parent, adapter.root) == ("zero", "base", "/shelf/zero")


REQUESTS: Mapping[str, tuple[str, Mapping[str, Any] | None]] = {
    "completion": (COMPLETIONS, bodies.generation("rev-0", (1, 2), Sampling(3), frozenset({256}), None)),
    "scoring": (COMPLETIONS, bodies.scoring("rev-0", (1, 2, 3, 4), 1)),
    "models": (MODELS, None),
    "no route": ("/nothing", {}),
    "unknown model": (COMPLETIONS, bodies.generation("nobody", (1,), Sampling(3), frozenset(), None)),
    "too long": (COMPLETIONS, bodies.generation("rev-0", (1,), Sampling(3000), frozenset(), None)),
    "foreign token": (COMPLETIONS, bodies.generation("rev-0", (10**6,), Sampling(3), frozenset(), None)),
    "load again": (LOAD, {"lora_name": "rev-0", "lora_path": "/shelf/rev-0"}),
    "load missing": (LOAD, {"lora_name": "missing", "lora_path": "/shelf/missing"}),
    "load rank": (LOAD, {"lora_name": "r16", "lora_path": "r16"}),
    "unload missing": (UNLOAD, {"lora_name": "nobody"}),
    "tokenize": ("/tokenize", {"model": "base", "prompt": "hi", "add_special_tokens": False}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_fake_server_answers_in_the_form_of_the_real_one(server: FakeServer, name: str) -> None:
    """Same status, and no field that a real answer has not."""
    path, body = REQUESTS[name]
    if body and body.get("lora_path") == "r16":
        body = {**body, "lora_path": str(Path(server.model.folders["rev-0"]).with_name("r16"))}
    key = {"Authorization": f"Bearer {server.api_key}"}
    answer = httpx.request("GET" if body is None else "POST", server.url + path, json=body, headers=key)
    assert answer.status_code == ANSWERS[name]["status"]
    assert shape(answer.json()) <= shape(ANSWERS[name]["payload"])


def test_the_fake_server_refuses_a_wrong_key_as_the_real_one(server: FakeServer) -> None:
    answer = httpx.get(server.url + MODELS)
    assert (answer.status_code, answer.json()) == (
        ANSWERS["wrong key"]["status"],
        ANSWERS["wrong key"]["payload"],
    )


def shape(value: Any, at: str = "") -> set[str]:
    """Paths of all fields; those named by token ids or texts count as one."""
    if isinstance(value, list):
        return {at}.union(*(shape(item, at) for item in value))
    if not isinstance(value, dict):
        return {at}
    open_keys = at.endswith(("prompt_logprobs", "top_logprobs"))
    return {at}.union(*(shape(item, f"{at}.{'*' if open_keys else key}") for key, item in value.items()))
