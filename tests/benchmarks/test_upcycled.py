"""How two engines' runs of the same people are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from adapters.engines.protocol import (
    GenerateRequest,
    GenerateResult,
    Message,
    RequestError,
    Sampling,
    ScoreRequest,
    ScoreResult,
)
from benchmarks import upcycled
from benchmarks.upcycled import (
    FULL,
    QUICK,
    SCENARIO,
    Exchange,
    logprob_differences,
    margins,
    partings,
    same_rows,
)
from sim.scenario_file import load_scenario


def exchange(prompt: str, tokens: tuple[int, ...], *, adapter: str = "a", logprob: float = -1.0) -> Exchange:
    asked = GenerateRequest("1/0", (Message("user", prompt),), adapter, Sampling(8, 0))
    return Exchange(asked, GenerateResult("1/0", "", tokens, (logprob,) * len(tokens), "stop", 5))


class Scorer:
    """log p of a token is −token / 10, whatever stands before it."""

    def __init__(self) -> None:
        self.asked: list[ScoreRequest] = []

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        raise NotImplementedError

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        self.asked += requests
        return [ScoreResult(r.request_id, tuple(-t / 10 for t in r.completion), 5) for r in requests]

    def close(self) -> None:
        raise NotImplementedError


def test_replies_part_only_where_prompt_and_adapter_are_the_same() -> None:
    ours = [exchange("p", (1, 2, 3)), exchange("q", (1, 2)), exchange("r", (1,)), exchange("s", (4,))]
    ours.append(exchange("t", (1, 2)))
    failed = exchange("t", ())
    failed = failed._replace(result=replace(failed.result, error=RequestError("engine", "too late")))
    theirs = [
        exchange("p", (1, 5, 3)),
        exchange("other", (9,)),
        exchange("r", (1,)),
        exchange("s", (5,), adapter="b"),
        failed,
    ]
    (found,) = partings(ours, theirs)
    assert (found.ours, found.theirs, found.common) == ((1, 2, 3), (1, 5, 3), 1)


def test_a_margin_is_taken_at_the_first_token_that_differs_under_the_adapter() -> None:
    scorer = Scorer()
    found = partings([exchange("p", (1, 2, 3))], [exchange("p", (1, 5, 9))])
    assert margins(scorer, found) == [pytest.approx(0.3)]  # −2/10 − (−5/10)
    assert [(r.completion, r.adapter) for r in scorer.asked] == [((1, 2), "a"), ((1, 5), "a")]


def test_a_reply_that_ends_where_the_other_goes_on_parts_at_its_end() -> None:
    found = partings([exchange("p", (1, 2, 0))], [exchange("p", (1, 2, 7, 0))])
    assert found[0].common == 2


def test_log_probabilities_are_compared_per_token_of_equal_replies() -> None:
    ours = [exchange("p", (1, 2), logprob=-1.0), exchange("q", (1,), logprob=-1.0)]
    theirs = [exchange("p", (1, 2), logprob=-1.5), exchange("q", (2,), logprob=-9.0)]
    assert logprob_differences(ours, theirs) == [0.5]
    assert logprob_differences([exchange("p", ())], [exchange("p", ())]) == []  # two errors


def test_rows_agree_where_all_but_the_log_probability_does() -> None:
    rows = {"action": ["like_post", None], "feed": [[1, 2], [3]], "reply_tokens": [[1], [2]]}
    ours = pd.DataFrame({**rows, "logprob": [-1.0, -2.0]})
    assert same_rows(ours, pd.DataFrame({**rows, "logprob": [-1.1, -2.0]})) == 1
    other = pd.DataFrame({**rows, "feed": [[1, 2], [4]], "logprob": [-1.0, -2.0]})
    assert same_rows(ours, other) == 0.5


def test_the_case_is_the_shipped_scenario_on_a_server() -> None:
    full, quick = (load_scenario(SCENARIO, settings) for settings in (FULL, QUICK))
    assert (full.population.size, full.base, full.simulation.sampling.temperature) == (
        (16,),
        "smollm2-4x2",
        0,
    )
    assert full.adapters.rank == 4
    assert len(full.seeds) >= 3
    assert full.engine.kind == quick.engine.kind == "vllm"


def test_a_missing_base_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLURES_BASES", str(tmp_path))
    with pytest.raises(SystemExit, match=r"benchmarks\.upcycled: smollm2-4x2: no such base"):
        upcycled.measure(quick=True)
