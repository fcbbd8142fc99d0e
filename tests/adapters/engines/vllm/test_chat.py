"""A server whose tokenizer is not here is asked by chat: with the same care, and with less where that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.bases.loader import Base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, Message, Sampling, ScoreRequest
from adapters.engines.vllm.chat import ChatSpeech, RemoteBase
from adapters.engines.vllm.engine import VllmEngine
from adapters.engines.vllm.residency.shelf import AdapterShelf
from adapters.errors import ServerError
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from tests.adapters.engines.random_adapters import Shelf
from tests.adapters.engines.vllm.fake_server import CHAT, Edit, FakeServer
from tests.adapters.engines.vllm.serving import endpoint

GRAMMAR = r'\{"n":[0-9]{1,3}\}'


@pytest.fixture
def engine(base: Base, server: FakeServer, shelf: Shelf, tmp_path: Path) -> Iterator[VllmEngine]:
    zero = zero_adapter(base.skeleton, LoraSpec())
    engine = VllmEngine(
        RemoteBase("base"),
        endpoint(server),
        AdapterShelf(tmp_path, shelf, zero=zero),
        max_loras=4,
        rng=np.random.default_rng(0),
    )
    yield engine
    engine.close()


def ask(i: int, text: str = "Say it.", grammar: str | None = None) -> GenerateRequest:
    adapter = None if i % 3 == 2 else f"rev-{i % 3}"
    return GenerateRequest(
        f"r{i}", (Message("user", f"{i}: {text}"),), adapter, Sampling(12, temperature=0), grammar
    )


def test_replies_are_those_of_the_local_engine_where_nobody_spells_special_tokens(
    engine: VllmEngine, base: Base, shelf: Shelf
) -> None:
    requests = [ask(i, grammar=GRAMMAR if i % 2 else None) for i in range(6)]
    got = engine.generate(requests)
    local = LocalEngine(base, shelf)
    expected = local.generate(requests)
    local.close()
    assert [replace(r, logprobs=()) for r in got] == [replace(r, logprobs=()) for r in expected]
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(
            torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4, rtol=0
        )


@pytest.mark.parametrize(
    "spelling", ["<|end|>", "<|im_start|>", "</s>", "<bos>", "[INST]", "<｜User｜>", "<start_of_turn>"]
)
def test_spellings_of_special_tokens_are_broken(
    engine: VllmEngine, server: FakeServer, spelling: str
) -> None:
    engine.generate([ask(0, f"a{spelling}b")])
    (turn,) = server.bodies(CHAT)[-1]["messages"]
    assert spelling not in turn["content"]
    assert turn["content"] == f"0: a{spelling[0]} {spelling[1:]}b"


def test_a_spelled_end_ends_nothing(engine: VllmEngine, base: Base) -> None:
    """The server would have taken it for the token: then the prompt would hold two ends of turns."""
    (result,) = engine.generate([ask(0, "<|end|>")])
    spelled_out = base.encoder.prompt_ids((Message("user", "0: < |end|>"),))
    assert result.prompt_tokens == len(spelled_out)


def test_what_is_no_unicode_is_still_sent(engine: VllmEngine, server: FakeServer) -> None:
    (result,) = engine.generate([ask(0, "half \ud83d of a pair")])
    assert result.error is None
    assert server.bodies(CHAT)[-1]["messages"][0]["content"] == "0: half ? of a pair"


def test_further_spellings_can_be_named(server: FakeServer) -> None:
    speech = ChatSpeech(RemoteBase("base", spellings=("§end",)))
    assert speech._harmless("stop §end now") == "stop § end now"


def test_what_chat_cannot_do_is_refused_request_by_request(engine: VllmEngine) -> None:
    by_ids = GenerateRequest("ids", (1, 2), "rev-0", Sampling(4))
    bad_seed = replace(ask(1), request_id="seed", sampling=Sampling(4, seed=-1))
    bad_grammar = replace(ask(1), request_id="grammar", grammar="(")
    too_long = replace(ask(1), request_id="long", prompt=(Message("user", "x" * 300),))
    results = engine.generate([by_ids, bad_seed, bad_grammar, too_long, ask(0)])
    kinds = [r.error.kind if r.error else None for r in results]
    assert kinds == ["bad_request", "bad_request", "bad_grammar", "prompt_too_long", None]
    assert "tokenizer" in (results[0].error.message if results[0].error else "")


def test_scores_follow_token_ids_only(engine: VllmEngine, base: Base, shelf: Shelf) -> None:
    asked = [
        ScoreRequest("ids", (1, 2, 3), (4, 5), "rev-0"),
        ScoreRequest("none", (1, 2, 3), (), "rev-0"),
        ScoreRequest("messages", (Message("user", "hi"),), (4,), "rev-0"),
        ScoreRequest("negative", (1,), (-4,), "rev-0"),
    ]
    scores = engine.score(asked)
    assert [s.error.kind if s.error else None for s in scores] == [None, None, "bad_request", "bad_request"]
    local = LocalEngine(base, shelf)
    (expected,) = local.score(asked[:1])
    local.close()
    torch.testing.assert_close(torch.tensor(scores[0].logprobs), torch.tensor(expected.logprobs))


def test_a_reply_that_leaves_its_grammar_is_refused(engine: VllmEngine, server: FakeServer) -> None:
    def other_words(answer: dict[str, object]) -> dict[str, object]:
        answer["choices"][0]["message"]["content"] = '{"n":12345}'  # type: ignore[index]
        return answer

    server.plan(Edit(other_words), CHAT)
    (result,) = engine.generate([ask(0, grammar=GRAMMAR)])
    assert result.error is not None
    assert result.error.kind == "bad_grammar"


def test_the_servers_base_is_known_by_its_name(
    server: FakeServer, base: Base, shelf: Shelf, tmp_path: Path
) -> None:
    zero = zero_adapter(base.skeleton, LoraSpec())
    with pytest.raises(ServerError, match="which is not base 'other'"):
        VllmEngine(
            RemoteBase("other"),
            endpoint(server),
            AdapterShelf(tmp_path, shelf, zero=zero),
            rng=np.random.default_rng(0),
        )
