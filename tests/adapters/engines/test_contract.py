"""What every engine promises, whatever runs beneath."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.bases.loader import Base, load_base
from adapters.engines.local import LocalEngine
from adapters.engines.metered import MeteredEngine
from adapters.engines.protocol import Engine, GenerateRequest, Message, RequestError, Sampling, ScoreRequest
from adapters.engines.recorded import RecordedEngine
from adapters.engines.replicas import ReplicatedEngine
from adapters.engines.scripted import ScriptedEngine
from adapters.errors import AdapterError
from tests.adapters.engines.random_adapters import Shelf
from tests.adapters.engines.vllm.serving import ServedEngine

GRAMMAR = r'\{"n":[0-9]{1,3}\}'
KNOWN = "rev-0"


def scripted_reply(request: GenerateRequest) -> str:
    """Depends on the request alone; a number that fits the grammar."""
    return f'{{"n":{(request.sampling.seed * 7 + len(request.prompt)) % 1000}}}'


def ignore(_record: object) -> None:
    """A sink."""


Factory = Callable[[Base, Shelf, Path], Engine]
ENGINES: dict[str, Factory] = {
    "local": lambda base, shelf, _: LocalEngine(base, shelf, max_slots=2),
    "scripted": lambda base, shelf, _: ScriptedEngine(scripted_reply, adapters=shelf.adapters, context=256),
    "metered local": lambda base, shelf, _: MeteredEngine(LocalEngine(base, shelf, max_slots=2)),
    "recorded scripted": lambda base, shelf, _: RecordedEngine(
        ScriptedEngine(scripted_reply, adapters=shelf.adapters, context=256), ignore
    ),
    "metered recorded local": lambda base, shelf, _: MeteredEngine(
        RecordedEngine(LocalEngine(base, shelf, max_slots=2), ignore)
    ),
    "vllm": lambda base, shelf, folder: ServedEngine(base, shelf, folder, max_loras=2),
    "replicated local": lambda base, shelf, _: ReplicatedEngine(
        {name: LocalEngine(load_base(base.path), shelf, max_slots=2) for name in ("left", "right")}
    ),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, base: Base, shelf: Shelf, tmp_path: Path) -> Iterator[Engine]:
    engine = ENGINES[request.param](base, shelf, tmp_path)
    yield engine
    engine.close()


def ask(name: str, **changes: object) -> GenerateRequest:
    prompt = (Message("user", f"Say something, {name}."),)
    return replace(GenerateRequest(name, prompt, KNOWN, Sampling(12, seed=3), GRAMMAR), **changes)


BAD: dict[str, tuple[dict[str, object], str]] = {
    "unknown adapter": ({"adapter": "nobody"}, "unknown_adapter"),
    "grammar that is no expression": ({"grammar": "("}, "bad_grammar"),
    "prompt too long": ({"prompt": (1,) * 300}, "prompt_too_long"),
    "prompt without tokens": ({"prompt": ()}, "bad_request"),
    "token that does not exist": ({"prompt": (1, 10**9)}, "bad_request"),
    "negative seed": ({"sampling": Sampling(4, seed=-1)}, "bad_request"),
    "ids and messages mixed": ({"prompt": (1, Message("user", "hi"))}, "bad_request"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_bad_request_fails_alone_and_says_why(engine: Engine, case: str) -> None:
    changes, kind = BAD[case]
    good = [ask("a"), ask("b", adapter=None), ask("d", adapter="rev-1")]
    expected = engine.generate(good)
    first, second, bad, third = engine.generate([*good[:2], ask("c", **changes), good[2]])
    assert [first.token_ids, second.token_ids, third.token_ids] == [r.token_ids for r in expected]
    assert all(result.error is None for result in expected)
    assert bad.request_id == "c"
    assert bad.finish_reason == "error"
    assert bad.error is not None
    assert (bad.error.kind, bool(bad.error.message)) == (kind, True)
    assert (bad.text, bad.token_ids, bad.logprobs) == ("", (), ())


def test_results_come_in_the_order_of_requests(engine: Engine) -> None:
    names = ["z", "b", "m", "a"]
    requests = [ask(n, adapter=f"rev-{i % 3}", prompt=(7,) * (9 - 2 * i)) for i, n in enumerate(names)]
    assert [r.request_id for r in engine.generate(requests)] == names
    scores = engine.score([ScoreRequest(n, (1, 2), (3,), f"rev-{i % 3}") for i, n in enumerate(names)])
    assert [s.request_id for s in scores] == names


def test_an_id_used_twice_is_an_error_for_both(engine: Engine) -> None:
    results = engine.generate([ask("same"), ask("other"), ask("same", adapter=None)])
    assert [r.error.kind if r.error else None for r in results] == ["bad_request", None, "bad_request"]


def test_an_empty_batch_is_an_empty_answer(engine: Engine) -> None:
    assert engine.generate([]) == []
    assert engine.score([]) == []


def test_finished_replies_obey_the_grammar(engine: Engine) -> None:
    requests = [ask(str(i), adapter=f"rev-{i % 3}", sampling=Sampling(40, seed=i)) for i in range(8)]
    for result in engine.generate(requests):
        assert result.finish_reason == "stop"
        assert re.fullmatch(GRAMMAR, result.text)


def test_replies_end_by_the_end_token_or_by_their_length(engine: Engine) -> None:
    stopped, cut = engine.generate([ask("a", sampling=Sampling(40)), ask("b", sampling=Sampling(2))])
    assert (stopped.finish_reason, cut.finish_reason) == ("stop", "length")
    assert cut.completion_tokens == 2
    assert stopped.token_ids[-1] not in stopped.token_ids[:-1]
    assert cut.token_ids[-1] != stopped.token_ids[-1]


def test_every_token_has_a_logprob(engine: Engine) -> None:
    for result in engine.generate([ask("a"), ask("b", adapter=None)]):
        assert len(result.logprobs) == result.completion_tokens > 0
        assert all(logprob <= 0 for logprob in result.logprobs)
        assert result.prompt_tokens > 0


def test_equal_seeds_repeat_a_reply(engine: Engine) -> None:
    sampling = Sampling(12, temperature=1.3, top_p=0.95, seed=11)
    first, again = (engine.generate([ask("a", sampling=sampling)])[0] for _ in range(2))
    assert first == again


def test_scores_have_one_logprob_per_token(engine: Engine) -> None:
    scores = engine.score(
        [
            ScoreRequest("some", (1, 2, 3), (4, 5), KNOWN),
            ScoreRequest("none", (1, 2, 3), (), None),
            ScoreRequest("unknown", (1, 2, 3), (4,), "nobody"),
            ScoreRequest("foreign", (1, 2, 3), (10**9,), KNOWN),
            ScoreRequest("long", (1,) * 200, (4,) * 100, KNOWN),
        ]
    )
    assert [len(s.logprobs) for s in scores] == [2, 0, 0, 0, 0]
    kinds = [s.error.kind if s.error else None for s in scores]
    assert kinds == [None, None, "unknown_adapter", "bad_request", "prompt_too_long"]
    assert all(logprob <= 0 for logprob in scores[0].logprobs)


def test_closing_twice_is_closing_once_and_ends_the_work(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(AdapterError, match="closed"):
        engine.generate([ask("a")])


def test_errors_are_values_of_the_protocol(engine: Engine) -> None:
    (result,) = engine.generate([ask("a", adapter="nobody")])
    assert isinstance(result.error, RequestError)
    assert "nobody" in result.error.message
