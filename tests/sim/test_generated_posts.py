"""Posts of everybody's adapter and of the base: same prompts, same seeds, failures told apart from texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from adapters.bases.loader import Base, load_base
from adapters.engines.protocol import GenerateRequest, GenerateResult, RequestError, ScoreRequest, ScoreResult
from agents.rendering import RENDERINGS, Rendering
from sim.errors import SimError
from sim.generated_posts import COLUMNS, write_posts
from sim.progress import Silent
from sim.scenario import SamplingBlock

REVISIONS = {"ada": "a" * 64, "ben": "b" * 64}


class Writer:
    """Answers every request with the same text, and remembers what was asked."""

    def __init__(self, text: str, **changes: Any) -> None:
        self.asked: list[GenerateRequest] = []
        self._answer = GenerateResult("", text, (1,), (0.0,), "stop", 1)
        self._changes = changes

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        self.asked += requests
        return [replace(self._answer, request_id=r.request_id, **self._changes) for r in requests]

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        raise NotImplementedError

    def close(self) -> None: ...


def _write(
    engine: Writer, rendering: Rendering = "words", base: Base | None = None, posts: int = 2
) -> pd.DataFrame:
    return write_posts(
        engine,
        base or load_base("tiny-moe"),
        REVISIONS,
        posts=posts,
        rendering=rendering,
        sampling=SamplingBlock(),
        watcher=Silent(),
    )


def test_adapter_and_base_get_the_same_prompts_and_seeds() -> None:
    for rendering in RENDERINGS:
        engine = Writer('{"action":"create_post","content":"hello"}')
        _write(engine, rendering)
        adapters = [r for r in engine.asked if r.adapter is not None]
        bases = [r for r in engine.asked if r.adapter is None]
        assert len(adapters) == len(bases) == 4
        assert {r.prompt for r in engine.asked} == {engine.asked[0].prompt}
        assert [r.sampling for r in adapters] == [r.sampling for r in bases]
        assert len({r.sampling.seed for r in adapters}) == 4
        assert [r.adapter for r in adapters] == ["a" * 64, "b" * 64] * 2


def test_the_words_of_a_reply_are_the_text() -> None:
    written = _write(Writer('{"action":"create_post","content":"hello \\"you\\""}'))
    assert list(written.columns) == list(COLUMNS)
    assert set(written["text"]) == {'hello "you"'}
    assert (written["failure"] == "").all()
    assert written["writer"].value_counts().to_dict() == {"adapter": 4, "base": 4}


def test_a_bare_text_is_taken_as_far_as_it_goes_and_cleaned() -> None:
    written = _write(Writer("two\nlines", finish_reason="length"), "raw")
    assert set(written["text"]) == {"two lines"}


@pytest.mark.parametrize(
    ("text", "changes", "rendering", "failure"),
    [
        ('{"action":"create_post","conte', {"finish_reason": "length"}, "words", "truncated"),
        ("hello", {}, "words", "malformed"),
        ("  ", {}, "raw", "empty_content"),
        ("", {"error": RequestError("engine", "no")}, "raw", "engine_engine"),
    ],
)
def test_what_did_not_come_about_says_why(
    text: str, changes: dict[str, Any], rendering: Rendering, failure: str
) -> None:
    written = _write(Writer(text, **changes), rendering, posts=1)
    assert set(written["failure"]) == {failure}
    assert set(written["text"]) == {""}


def test_a_base_that_cannot_begin_a_text_is_refused_with_the_way_out() -> None:
    mute = cast("Base", SimpleNamespace(name="mute", encoder=SimpleNamespace(begin_ids=())))
    with pytest.raises(SimError, match=r"mute.*adapters\.rendering=words"):
        _write(Writer(""), "raw", mute)
