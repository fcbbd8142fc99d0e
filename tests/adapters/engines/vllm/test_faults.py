"""One request's trouble is a value, the server's is one exception, and nothing wrong is taken for an answer."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.bases.loader import Base
from adapters.engines.metered import MeteredEngine
from adapters.engines.protocol import GenerateRequest, GenerateResult, RequestError, Sampling, ScoreRequest
from adapters.engines.recorded import RecordedEngine, RequestRecord
from adapters.engines.vllm.engine import VllmEngine
from adapters.errors import ServerError, ServerLostError, StoreError
from tests.adapters.engines.random_adapters import Shelf
from tests.adapters.engines.vllm.fake_server import (
    LOAD,
    MODELS,
    Call,
    Die,
    Drop,
    Edit,
    Fail,
    FakeServer,
    Hang,
    Say,
)
from tests.adapters.engines.vllm.serving import endpoint, open_engine

GRAMMAR = r"[a-z]{2,4}"


@pytest.fixture
def engine(base: Base, server: FakeServer, shelf: Shelf, tmp_path: Path) -> Iterator[VllmEngine]:
    engine = open_engine(base, endpoint(server), shelf, tmp_path / "shelf", max_loras=4)
    yield engine
    engine.close()


@pytest.fixture
def impatient(
    engine: VllmEngine, base: Base, server: FakeServer, shelf: Shelf, tmp_path: Path
) -> Iterator[VllmEngine]:
    """Another one, with a second's patience, that finds all adapters on the server."""
    engine.generate(BATCH)
    impatient = open_engine(base, endpoint(server, timeout=1.0), shelf, tmp_path / "shelf", max_loras=4)
    yield impatient
    impatient.close()


def ask(i: int, *, grammar: str | None = None) -> GenerateRequest:
    return GenerateRequest(f"r{i}", (10 + i, 20, 30), f"rev-{i % 3}", Sampling(4, temperature=0), grammar)


BATCH = [ask(i) for i in range(6)]


def third(call: Call) -> bool:
    """The request r2, by its prompt."""
    return call.body["prompt"][0] == 12


def second_of(results: list[GenerateResult]) -> tuple[RequestError, list[GenerateResult]]:
    """The error of r2, and the results of the others."""
    error = results[2].error
    assert error is not None
    assert (results[2].text, results[2].token_ids, results[2].finish_reason) == ("", (), "error")
    return error, results[:2] + results[3:]


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Fail(500), "status 500"), (Hang(), "no answer within"), (Drop(), "the connection broke")],
)
def test_trouble_of_one_request_is_its_own_value(
    impatient: VllmEngine, server: FakeServer, fault: Any, words: str
) -> None:
    """The server, asked a trifle afterwards, answers: so it is well."""
    expected = impatient.generate(BATCH)
    server.plan(fault, times=math.inf, when=third)
    error, others = second_of(impatient.generate(BATCH))
    assert error.kind == "engine"
    assert words in error.message
    assert others == expected[:2] + expected[3:]


@pytest.mark.parametrize(
    ("status", "message", "about", "kind"),
    [
        (400, "maximum context length is 256", "input_tokens", "prompt_too_long"),
        (400, "Grammar error: too complex", None, "bad_grammar"),
        (422, "no", None, "bad_request"),
    ],
)
def test_refusals_of_one_request_are_told_apart(
    engine: VllmEngine, server: FakeServer, status: int, message: str, about: str | None, kind: str
) -> None:
    payload = {"error": {"message": message, "type": "BadRequestError", "param": about, "code": status}}
    server.plan(Fail(status, payload), times=math.inf, when=third)
    error, others = second_of(engine.generate(BATCH))
    assert (error.kind, message in error.message) == (kind, True)
    assert all(result.error is None for result in others)


@pytest.mark.parametrize("fault", [Fail(500), Hang(), Drop(), Fail(503), Fail(429)])
def test_a_server_that_answers_nothing_ends_the_batch_as_a_whole(
    impatient: VllmEngine, server: FakeServer, fault: Any
) -> None:
    """Rows of failures would look like something that agents did."""
    server.plan(fault, times=math.inf)
    with pytest.raises(ServerLostError, match="Nothing of this batch counts"):
        impatient.generate(BATCH)
    server.heal()
    assert all(result.error is None for result in impatient.generate(BATCH))


def test_a_server_that_fails_every_request_of_a_batch_is_lost_though_it_answers_trifles(
    engine: VllmEngine, server: FakeServer
) -> None:
    server.plan(Fail(500), times=math.inf, when=lambda call: len(call.body["prompt"]) > 1)
    with pytest.raises(ServerLostError, match="status 500"):
        engine.generate(BATCH)


def test_an_overload_ends_the_batch_even_if_it_hits_one_request(
    engine: VllmEngine, server: FakeServer
) -> None:
    server.plan(Fail(503), times=math.inf, when=third)
    with pytest.raises(ServerLostError, match="503"):
        engine.generate(BATCH)


@pytest.mark.parametrize("grammar", [None, GRAMMAR])
def test_a_server_killed_in_the_middle_of_a_batch_raises_once(
    engine: VllmEngine, server: FakeServer, grammar: str | None
) -> None:
    """Some requests were answered before; the batch as a whole counts for nothing, and no thread is left asking."""
    server.plan(Die(), when=third)
    with pytest.raises(ServerLostError):
        engine.generate([ask(i, grammar=grammar) for i in range(6)])
    with pytest.raises(ServerLostError, match="no connection"):
        engine.generate(BATCH)
    engine.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("vLLM at")]


def test_a_server_killed_between_batches_raises_before_anything_is_sent(
    engine: VllmEngine, server: FakeServer
) -> None:
    server.kill()
    with pytest.raises(ServerLostError, match="no connection"):
        engine.score([ScoreRequest("s", (1, 2), (3,), "rev-0")])


def test_a_lost_batch_is_neither_recorded_nor_metered(
    base: Base, server: FakeServer, shelf: Shelf, tmp_path: Path
) -> None:
    """What is repeated after a resume is counted once."""
    records: list[RequestRecord] = []
    inner = open_engine(base, endpoint(server), shelf, tmp_path / "shelf")
    engine = MeteredEngine(RecordedEngine(inner, records.append))
    server.plan(Fail(503), times=3, when=third)
    with pytest.raises(ServerLostError):
        engine.generate(BATCH)
    assert (records, engine.spent.requests) == ([], 0)
    engine.generate(BATCH)
    assert (len(records), engine.spent.requests) == (6, 6)
    engine.close()


def test_an_answer_lost_on_its_way_is_asked_for_again_and_comes_once(
    engine: VllmEngine, server: FakeServer
) -> None:
    expected = engine.generate(BATCH)
    server.plan(Drop(), when=third)
    assert engine.generate(BATCH) == expected


def edited(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Edit:
    """An answer whose payload and only choice were changed in place."""

    def edit(payload: dict[str, Any]) -> dict[str, Any]:
        change(payload, payload["choices"][0])
        return payload

    return Edit(edit)


def _set(part: int, **values: Any) -> Edit:
    return edited(lambda *parts: parts[part].update(values))


NONSENSE: dict[str, Any] = {
    "no JSON": Say("Bad gateway"),
    "no choice": edited(lambda payload, _: payload["choices"].clear()),
    "another adapter's answer": _set(0, model="zero"),
    "another prompt's answer": _set(1, prompt_token_ids=[1, 2]),
    "a token that does not exist": edited(lambda _, choice: choice["token_ids"].__setitem__(0, 10**6)),
    "a negative token": edited(lambda _, choice: choice["token_ids"].__setitem__(0, -1)),
    "fewer log-probabilities than tokens": edited(
        lambda _, choice: choice["logprobs"]["token_logprobs"].pop()
    ),
    "more tokens than counted": edited(lambda payload, _: payload["usage"].update(completion_tokens=1)),
    "no tokens": _set(1, token_ids=[]),
    "the end without an end": _set(1, finish_reason="stop"),
    "a positive log-probability": edited(
        lambda _, choice: choice["logprobs"]["token_logprobs"].__setitem__(0, 0.5)
    ),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_an_answer_that_cannot_be_right_ends_the_batch(
    engine: VllmEngine, server: FakeServer, name: str
) -> None:
    """Whoever answers so is not the server that was meant; nothing of it is believed."""
    server.plan(NONSENSE[name], when=third)
    with pytest.raises(ServerError, match=r"expected|vocabulary|ends in"):
        engine.generate(BATCH)


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_numbers_that_are_not_finite_are_the_adapters_fault(
    engine: VllmEngine, server: FakeServer, value: float | None
) -> None:
    fault = edited(lambda _, choice: choice["logprobs"]["token_logprobs"].__setitem__(0, value))
    server.plan(fault, when=third)
    error, others = second_of(engine.generate(BATCH))
    assert (error.kind, "not finite" in error.message) == ("engine", True)
    assert all(result.error is None for result in others)


def test_a_reply_that_leaves_its_grammar_is_refused(engine: VllmEngine, server: FakeServer) -> None:
    """A server may ignore grammars, or have another tokenizer."""
    server.plan(
        edited(lambda _, choice: choice["token_ids"].__setitem__(0, 0)),
        when=lambda call: third(call) and "structured_outputs" in call.body,
    )
    error, _ = second_of(engine.generate([ask(i, grammar=GRAMMAR) for i in range(6)]))
    assert (error.kind, "leaves the grammar" in error.message) == ("bad_grammar", True)


def test_a_score_without_its_numbers_is_no_score(engine: VllmEngine, server: FakeServer) -> None:
    request = ScoreRequest("s", (1, 2), (3, 4, 5), "rev-0")
    server.plan(edited(lambda _, choice: choice["prompt_logprobs"].pop()))
    with pytest.raises(ServerError, match="prompt log-probabilities"):
        engine.score([request])
    server.plan(edited(lambda _, choice: choice["prompt_logprobs"].__setitem__(2, {"7": {"logprob": -1.0}})))
    with pytest.raises(ServerError, match="nothing about token 3"):
        engine.score([request])
    assert len(engine.score([request])[0].logprobs) == 3


def test_an_adapter_folder_that_went_missing_ends_the_batch_with_its_name(
    engine: VllmEngine, server: FakeServer
) -> None:
    """The server's side of the shared folder is not there (any more): that is nobody's reply."""
    missing = {"error": {"message": "Loading lora a failed: No adapter found for <path>", "code": 404}}
    server.plan(Fail(404, missing), LOAD, times=math.inf)
    with pytest.raises(ServerError, match="cannot see"):
        engine.generate(BATCH)
    server.heal()
    assert all(result.error is None for result in engine.generate(BATCH))


def test_a_disk_that_is_full_while_adapters_are_laid_out_ends_the_batch(
    engine: VllmEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    with monkeypatch.context() as patch:
        patch.setattr("adapters.engines.vllm.residency.shelf.write_files", full)
        with pytest.raises(StoreError, match="No space left"):
            engine.generate(BATCH)
    assert all(result.error is None for result in engine.generate(BATCH))


def test_a_key_that_is_refused_meanwhile_ends_the_batch(engine: VllmEngine, server: FakeServer) -> None:
    server.api_key = "changed"
    with pytest.raises(ServerError, match="API key"):
        engine.generate(BATCH)


def test_a_reply_that_the_server_broke_off_is_none(engine: VllmEngine, server: FakeServer) -> None:
    """vLLM ends requests with "abort" when it is told to stop."""
    server.plan(_set(1, finish_reason="abort"), when=third)
    error, others = second_of(engine.generate(BATCH))
    assert (error.kind, "abort" in error.message) == ("engine", True)
    assert all(result.error is None for result in others)


def test_a_list_of_models_that_is_none_ends_the_batch(engine: VllmEngine, server: FakeServer) -> None:
    server.plan(Say("[]"), MODELS)
    with pytest.raises(ServerError, match="expected"):
        engine.generate(BATCH)
