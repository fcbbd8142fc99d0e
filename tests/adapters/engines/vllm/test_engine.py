"""The vLLM engine keeps the contract where a server alone would not; test_contract.py has the contract itself."""

from __future__ import annotations

import copy
import math
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.bases.loader import Base, open_base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, GenerateResult, Message, Sampling, ScoreRequest
from adapters.engines.vllm.engine import VllmEngine
from adapters.engines.vllm.residency.residency import ZERO
from adapters.errors import ServerError
from adapters.lora.adapter import Adapter
from adapters.lora.peft_io import write_peft
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from tests.adapters.engines.random_adapters import Shelf, random_adapter
from tests.adapters.engines.vllm.fake_server import (
    COMPLETIONS,
    LOAD,
    MODELS,
    UNLOAD,
    Call,
    Edit,
    Fail,
    FakeServer,
    Hang,
    Slow,
)
from tests.adapters.engines.vllm.serving import endpoint, open_engine

GREEDY = Sampling(max_new_tokens=10, temperature=0)
GRAMMAR = r'\{"n":(?:[0-9]{2,4}|"x{3,9}")\}'


@pytest.fixture
def opened(
    base: Base, server: FakeServer, shelf: Shelf, tmp_path: Path
) -> Iterator[Callable[..., VllmEngine]]:
    """Opens engines over the fake server, and closes them."""
    engines: list[VllmEngine] = []

    def open_one(
        *, base: Base = base, spec: LoraSpec | None = None, max_loras: int = 4, **at: Any
    ) -> VllmEngine:
        engines.append(
            open_engine(
                base, endpoint(server, **at), shelf, tmp_path / "shelf", spec=spec, max_loras=max_loras
            )
        )
        return engines[-1]

    yield open_one
    for engine in engines:
        engine.close()


def ask(i: int, adapter: str | None = "rev-0", **changes: Any) -> GenerateRequest:
    prompt = (Message("user", f"Say {i} <|end|>."),)
    return replace(GenerateRequest(f"r{i}", prompt, adapter, GREEDY), **changes)


def mixed(count: int = 12) -> list[GenerateRequest]:
    return [
        ask(i, None if i % 4 == 3 else f"rev-{i % 5}", grammar=GRAMMAR if i % 3 == 1 else None)
        for i in range(count)
    ]


def assert_alike(got: list[GenerateResult], expected: list[GenerateResult]) -> None:
    for one, other in zip(got, expected, strict=True):
        assert replace(one, logprobs=()) == replace(other, logprobs=())
        torch.testing.assert_close(
            torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4, rtol=0
        )


def test_greedy_replies_and_scores_are_those_of_the_local_engine(
    opened: Callable[..., VllmEngine], base: Base, shelf: Shelf
) -> None:
    """With more adapters than slots, with the base among them, under grammars: tokens, texts, log-probabilities."""
    got = opened(max_loras=2).generate(mixed())
    local = LocalEngine(base, shelf)
    expected = local.generate(mixed())
    assert_alike(got, expected)
    scored = [
        ScoreRequest(r.request_id, r.prompt, g.token_ids, r.adapter)
        for r, g in zip(mixed(), got, strict=True)
    ]
    for one, other in zip(opened().score(scored), local.score(scored), strict=True):
        torch.testing.assert_close(
            torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4, rtol=0
        )
    local.close()


def test_the_base_is_never_asked_by_its_name(opened: Callable[..., VllmEngine], server: FakeServer) -> None:
    """Trap 1: its rows would get a neighbour's adapter. They go to the adapter that changes nothing."""
    engine = opened()
    engine.generate(mixed())
    engine.score([ScoreRequest("s", (1, 2), (3, 4), None)])
    names = {body["model"] for body in server.bodies()}
    assert "base" not in names
    assert len([name for name in names if name.startswith("zero")]) == 1
    assert len(names) == 6


def test_adapters_in_flight_never_exceed_the_slots(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    engine, running, most = opened(max_loras=2), [], []
    lock, together = threading.Lock(), threading.Event()

    def watch(exchange: Any) -> None:
        with lock:
            running.append(exchange.call.body["model"])
            most.append(len(set(running)))
            if most[-1] > 1:
                together.set()
        together.wait(10)  # the first ones stay until another adapter is there
        answer = exchange.answer()
        with lock:
            running.remove(exchange.call.body["model"])
        exchange.send(answer)

    server.plan(watch, times=1000)
    assert all(result.error is None for result in engine.generate(mixed(20)))
    assert max(most) == 2


def test_no_more_requests_are_under_way_than_allowed(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    engine, running, most = opened(requests=3), threading.Semaphore(3), []

    def watch(exchange: Any) -> None:
        most.append(running.acquire(blocking=False))
        answer = exchange.answer()
        running.release()
        exchange.send(answer)

    server.plan(watch, times=1000)
    engine.generate(mixed(12))
    assert all(most)


def test_posts_cannot_forge_special_tokens(
    opened: Callable[..., VllmEngine], server: FakeServer, base: Base
) -> None:
    """Prompts travel as ids of our encoder, in which the spelled end token is plain text."""
    opened().generate([ask(1)])
    prompt = server.bodies()[-1]["prompt"]
    assert prompt == list(base.encoder.prompt_ids(ask(1).prompt))
    assert prompt.count(base.encoder.end_ids[0]) == 1  # the template's own


def test_a_turn_that_ends_otherwise_than_texts_is_ended_by_the_grammar(
    opened: Callable[..., VllmEngine], base: Base, server: FakeServer
) -> None:
    """A server's grammars end with the tokenizer's eos_token; where turns end with another token, they name it."""
    tokenizer = copy.deepcopy(base.tokenizer)
    tokenizer.eos_token = "a"
    opened(base=replace(base, tokenizer=tokenizer)).generate([ask(0, grammar=GRAMMAR)])
    grammars = [b["structured_outputs"]["grammar"] for b in server.bodies() if "structured_outputs" in b]
    assert grammars
    assert all(grammar.endswith(f"/ <[{base.encoder.end_ids[0]}]>") for grammar in grammars)


def test_the_weights_of_the_base_are_not_read(opened: Callable[..., VllmEngine], base: Base) -> None:
    light = open_base(base.path)
    engine = opened(base=light)
    assert engine.generate([ask(0, grammar=GRAMMAR)])[0].error is None
    assert not light.weights.loaded


def test_a_name_that_the_server_forgot_is_given_again(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    """As after somebody unloaded it, or an external server was started anew."""
    engine = opened()
    expected = engine.generate(mixed())
    server.model.folders.clear()
    assert engine.generate(mixed()) == expected


def test_a_server_that_became_another_meanwhile_is_refused(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    engine = opened()
    server.model.served_name = "other@000000000000"
    with pytest.raises(ServerError, match="serves other@000000000000"):
        engine.generate([ask(0)])


def test_a_second_engine_finds_the_adapters_of_the_first(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    """Names and folders outlive an engine: nothing is loaded twice, nothing is refused as loaded already."""
    first = opened().generate(mixed())
    loads = len(server.bodies(LOAD))
    assert opened().generate(mixed()) == first
    assert len(server.bodies(LOAD)) == loads
    assert server.bodies(UNLOAD) == []


def test_adapters_that_the_server_has_loaded_itself_are_asked_by_their_names(
    server: FakeServer, base: Base, adapters: dict[str, Adapter], tmp_path: Path
) -> None:
    """A server without runtime loading can still serve what it was started with."""
    folders = {"mine": adapters["rev-1"], "nothing": zero_adapter(base.skeleton, LoraSpec())}
    for name, adapter in folders.items():
        write_peft(adapter, tmp_path / name, base_ref="base")
        server.model.load({"lora_name": name, "lora_path": str(tmp_path / name)})
    server.runtime_loading = False
    served = {"rev-1": "mine", ZERO: "nothing"}
    engine = open_engine(base, endpoint(server), Shelf(adapters), tmp_path / "shelf", served=served)
    mine, nobody = engine.generate([ask(0, "rev-1"), ask(1, None)])
    assert (mine.error, nobody.error) == (None, None)
    assert {body["model"] for body in server.bodies()[-2:]} == {"mine", "nothing"}
    engine.close()


def test_an_adapter_beyond_the_servers_rank_fails_alone(
    opened: Callable[..., VllmEngine], shelf: Shelf, base: Base
) -> None:
    shelf.adapters["big"] = random_adapter(base.model, 1, LoraSpec(rank=16))
    big, small = opened().generate([ask(0, "big"), ask(1)])
    assert small.error is None
    assert big.error is not None
    assert big.error.kind == "incompatible_adapter"
    assert "rank 16" in big.error.message


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupted_batch_ends_on_the_server_too_and_the_engine_goes_on(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    """Ctrl-C in the middle of a step: open requests are closed, and nothing keeps running behind the caller."""
    engine = opened()
    server.plan(Hang(), times=4)
    caller = threading.main_thread().ident
    assert caller is not None
    seen = len(server.bodies())

    def interrupt() -> None:
        while len(server.bodies()) < seen + 4:
            pause.wait(0.01)
        signal.pthread_kill(caller, signal.SIGINT)

    pause = threading.Event()
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        engine.generate([ask(i) for i in range(4)])
    thread.join()
    for _ in range(200):
        if server.departed == 4:
            break
        pause.wait(0.01)
    assert server.departed == 4
    assert engine.generate([ask(0)])[0].error is None


def test_closing_leaves_no_thread(base: Base, server: FakeServer, shelf: Shelf, tmp_path: Path) -> None:
    def others() -> set[str]:
        return {t.name for t in threading.enumerate() if "vLLM at" in t.name or "plures" in t.name}

    engine = open_engine(base, endpoint(server), shelf, tmp_path / "shelf")
    engine.generate([ask(0)])
    assert others()
    engine.close()
    assert not others()


# What is found out before the first request.


def test_a_server_of_another_base_is_refused_by_its_fingerprint(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    server.model.served_name = "tiny-random@0123456789ab"
    with pytest.raises(ServerError, match="serves tiny-random@0123456789ab"):
        opened()


def test_the_right_fingerprint_is_enough(
    opened: Callable[..., VllmEngine], server: FakeServer, base: Base
) -> None:
    server.model.served_name = f"whatever@{base.fingerprint[:12]}"
    server.plan(Edit(lambda answer: _with_root(answer, "/not/on/this/machine")), MODELS)
    opened()


def test_without_a_fingerprint_the_servers_folder_is_compared(
    opened: Callable[..., VllmEngine], server: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    server.plan(Edit(lambda answer: _with_root(answer, str(tmp_path / "other"))), MODELS)
    with pytest.raises(ServerError, match="which is not base"):
        opened()


def test_what_was_compared_is_not_compared_again_at_every_batch(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    """Where only a folder or the tokenizer can tell, that takes long."""
    server.plan(Edit(lambda answer: _with_root(answer, "hub/name")), MODELS, times=math.inf)
    engine = opened()
    for i in range(3):
        engine.generate([ask(i)])
    assert len(server.bodies("/tokenize")) == 1


@pytest.mark.parametrize("same", [True, False])
def test_without_either_the_tokenizer_is_compared(
    opened: Callable[..., VllmEngine], server: FakeServer, same: bool
) -> None:
    server.plan(Edit(lambda answer: _with_root(answer, "hub/name")), MODELS)
    if not same:
        server.plan(Edit(lambda answer: {**answer, "tokens": answer["tokens"][1:]}), "/tokenize")
        with pytest.raises(ServerError, match="which is not base"):
            opened()
    else:
        opened()


def _with_root(answer: dict[str, Any], root: str) -> dict[str, Any]:
    return {**answer, "data": [{**card, "root": root} for card in answer["data"]]}


def test_nobody_at_the_url_is_said_at_once(opened: Callable[..., VllmEngine], server: FakeServer) -> None:
    server.kill()
    with pytest.raises(ServerError, match="no vLLM server answers"):
        opened()


def test_a_web_server_that_is_no_vllm_is_said_to_be_none(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    server.plan(Fail(404, {"detail": "Not Found"}), MODELS)
    with pytest.raises(ServerError, match="no list of models"):
        opened()


def test_a_server_without_runtime_loading_is_refused(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    server.runtime_loading = False
    with pytest.raises(ServerError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
        opened()


def test_a_server_that_does_not_keep_grammars_is_refused_with_the_cure(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    """A server left at `--structured-outputs-config.backend auto` answers 500 to our grammars; another ignores them."""
    server.plan(Fail(500), times=3, when=lambda call: "structured_outputs" in call.body)
    with pytest.raises(ServerError, match="backend guidance"):
        opened()
    server.plan(_without_grammar)
    with pytest.raises(ServerError, match="backend guidance"):
        opened()


def _without_grammar(exchange: Any) -> None:
    body = {key: value for key, value in exchange.call.body.items() if key != "structured_outputs"}
    exchange.call = Call(COMPLETIONS, body, {})
    exchange.send(exchange.answer())


def test_a_zero_adapter_beyond_the_servers_rank_is_refused(
    opened: Callable[..., VllmEngine], server: FakeServer
) -> None:
    with pytest.raises(Exception, match="rank 16 is greater"):
        opened(spec=LoraSpec(rank=16))


def test_the_servers_context_is_kept_where_it_is_shorter(
    own_base: Base, base: Base, shelf: Shelf, tmp_path: Path
) -> None:
    with FakeServer(own_base, context=40) as server:
        engine = open_engine(base, endpoint(server), shelf, tmp_path / "shelf")
        before = len(server.bodies())
        fits, too_long = engine.generate(
            [ask(0, prompt=(1,) * 30), ask(1, prompt=(1,) * 31)],
        )
        engine.close()
    assert fits.error is None
    assert too_long.error is not None
    assert too_long.error.kind == "prompt_too_long"
    assert len(server.bodies()) == before + 1


def test_slow_answers_change_nothing(opened: Callable[..., VllmEngine], server: FakeServer) -> None:
    """The order of answers is not that of requests."""
    engine = opened()
    expected = engine.generate(mixed(6))
    server.plan(Slow(0.1), when=lambda call: call.body["model"].startswith("zero"))
    server.plan(Slow(0.05), times=2)
    assert engine.generate(mixed(6)) == expected
