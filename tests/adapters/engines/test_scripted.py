"""The scripted engine replies as it is told and is as strict as a real one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.engines.protocol import (
    GenerateRequest,
    Message,
    RequestError,
    Sampling,
    ScoreRequest,
    TextEncoder,
)
from adapters.engines.scripted import END_TOKEN, TOKEN_LOGPROB, CharacterEncoder, ScriptedEngine

REQUEST = GenerateRequest("a", (Message("user", "hi"),))


def test_tokens_are_characters_and_the_end() -> None:
    (result,) = ScriptedEngine(lambda _: "né😀").generate([REQUEST])
    assert result.text == "né😀"
    assert result.token_ids == (ord("n"), ord("é"), ord("😀"), END_TOKEN)
    assert result.logprobs == (TOKEN_LOGPROB,) * 4
    assert (result.finish_reason, result.prompt_tokens) == ("stop", 3)


def test_long_replies_are_cut_where_a_model_would_stop() -> None:
    results = ScriptedEngine(lambda _: "abc").generate(
        [replace(REQUEST, request_id=str(n), sampling=Sampling(n)) for n in (2, 3, 4)]
    )
    assert [(r.text, r.finish_reason) for r in results] == [
        ("ab", "length"),
        ("abc", "length"),
        ("abc", "stop"),
    ]


def test_a_reply_against_the_grammar_is_an_error() -> None:
    good, bad = ScriptedEngine(lambda r: r.request_id).generate(
        [replace(REQUEST, request_id=name, grammar="[a-c]+") for name in ("abc", "abd")]
    )
    assert good.text == "abc"
    assert bad.error is not None
    assert (bad.error.kind, "abd" in bad.error.message) == ("bad_grammar", True)


def test_failures_can_be_scripted() -> None:
    error = RequestError("engine", "out of luck")
    (result,) = ScriptedEngine(lambda _: error).generate([REQUEST])
    assert (result.error, result.finish_reason) == (error, "error")


def test_only_listed_adapters_exist() -> None:
    engine = ScriptedEngine(lambda _: "x", adapters={"known"})
    results = engine.generate([replace(REQUEST, request_id=n, adapter=n) for n in ("known", "other")])
    assert [r.error is None for r in results] == [True, False]
    assert ScriptedEngine(lambda _: "x").generate([replace(REQUEST, adapter="any")])[0].error is None


def test_scores_are_one_value_per_token() -> None:
    (score,) = ScriptedEngine(lambda _: "").score([ScoreRequest("a", (1, 2), (3, 4))])
    assert (score.logprobs, score.prompt_tokens) == ((TOKEN_LOGPROB,) * 2, 2)


@pytest.mark.parametrize("text", ["", "plain", chr(0x10FFFF)])
def test_no_text_contains_the_end_token(text: str) -> None:
    encoder = CharacterEncoder()
    assert isinstance(encoder, TextEncoder)
    assert END_TOKEN not in encoder.text_ids(text)
    assert encoder.prompt_ids([Message("user", text)])[-1:] == encoder.end_ids
