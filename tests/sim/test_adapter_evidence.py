from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from adapters.store import AdapterStore
from sim.adapter_evidence import evaluation_evidence, keep_rollouts, serving_path
from sim.individuality import HeldOutScores
from sim.scenario import Scenario
from tests.adapters.store.samples import publish


class Listener:
    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, task: str, total: int) -> None: ...
    def advance(self, task: str, done: int, note: str = "") -> None: ...
    def say(self, message: str) -> None:
        self.said.append(message)


def scores() -> HeldOutScores:
    """Two posts of ada (2 and 1 tokens), one of ben, and one of ada's that only calibrates."""
    nll = pd.DataFrame(
        {"ada": [1.0, 4.0, 5.0, 9.0], "ben": [2.0, 2.0, 1.0, 9.0], "base": [3.0, 3.0, 3.0, 9.0]}
    )
    return HeldOutScores(
        nll=nll,
        owner=pd.Series(["ada", "ada", "ben", "ada"]),
        tokens=pd.Series([2, 1, 4, 8]),
        calibration=pd.Series([False, False, False, True]),
    )


def test_an_evaluation_weighs_posts_by_tokens_and_leaves_calibration_out() -> None:
    # ada: own (2·1 + 1·4)/3 = 2 nats per token, ben's (2·2 + 1·2)/3 = 2, base 3
    ada, ben = evaluation_evidence(scores(), {"ada": "a" * 64, "ben": "b" * 64}, "words", "local")
    assert ada.metrics == pytest.approx(
        {
            "own_perplexity": math.exp(2),
            "others_perplexity": math.exp(2),
            "base_perplexity": math.exp(3),
            "gain_over_base": 1.0,
            "held_out_posts": 2.0,
        }
    )
    assert (ada.revision, ada.kind, ada.serving_path) == ("a" * 64, "evaluation", "local")
    assert "words" in ada.renderer
    assert ben.metrics["gain_over_base"] == pytest.approx(2.0)


def test_nobody_without_held_out_posts_and_nobody_elses_adapter_is_evaluated() -> None:
    evidence = evaluation_evidence(scores(), {"ada": "a" * 64, "zoe": "c" * 64}, "words", "local")
    assert [seen.revision for seen in evidence] == ["a" * 64]


def cell(frame: pd.DataFrame) -> Any:
    key = SimpleNamespace(id="lora-n2-s5", condition="lora", seed=5)
    return SimpleNamespace(key=key, ledger=SimpleNamespace(read=lambda columns: frame[list(columns)]))


SCENARIO = Scenario(name="x")


def test_every_adapter_that_acted_gets_one_rollout_of_a_cell(tmp_path: Path) -> None:
    store = AdapterStore(tmp_path / "store")
    one, two = publish(store, "ada", 1), publish(store, "ben", 2)
    frame = pd.DataFrame(
        {
            "adapter": [one, two, one, None],
            "ok": [True, True, False, True],
            "prompt_tokens": [10, 20, 30, 40],
            "reply_tokens": [[1, 2], [1], [1], [1]],
        }
    )
    watcher = Listener()
    keep_rollouts(store, SCENARIO, "quickstart", cell(frame), watcher)
    (seen,) = store.evidence.of(one, "rollout")
    assert (seen.run, seen.condition, seen.seed) == ("quickstart/lora-n2-s5", "lora", 5)
    assert seen.metrics == {"requests": 2.0, "done_share": 0.5, "prompt_tokens": 40.0, "reply_tokens": 3.0}
    assert seen.serving_path == "local engine, float32, cpu"
    assert store.evidence.of(two)[0].metrics["requests"] == 1.0
    assert watcher.said == []


def test_a_cell_without_adapters_needs_no_store(tmp_path: Path) -> None:
    frame = pd.DataFrame({"adapter": [None], "ok": [True], "prompt_tokens": [1], "reply_tokens": [[1]]})
    keep_rollouts(AdapterStore(tmp_path / "none"), SCENARIO, "run", cell(frame), Listener())
    assert not (tmp_path / "none").exists()


def test_a_store_that_may_only_be_read_is_left_alone_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AdapterStore(tmp_path / "store")
    revision = publish(store, "ada")
    frame = pd.DataFrame({"adapter": [revision], "ok": [True], "prompt_tokens": [1], "reply_tokens": [[1]]})
    watcher = Listener()
    monkeypatch.setattr("sim.adapter_evidence.os.access", lambda *_: False)
    keep_rollouts(store, SCENARIO, "run", cell(frame), watcher)
    assert "may only be read" in watcher.said[0]
    assert store.evidence.of(revision) == []


def test_what_ran_the_model_is_named() -> None:
    own = Scenario.model_validate({"name": "x", "engine": {"kind": "vllm", "dtype": "bfloat16"}})
    url = {"kind": "vllm", "url": "http://a:1", "adapters": "loaded"}
    int8 = Scenario.model_validate({"name": "x", "engine": {"weights": "int8"}})
    assert serving_path(SCENARIO) == "local engine, float32, cpu"
    assert serving_path(int8) == "local engine, int8, cpu"
    assert serving_path(own) == "vLLM, bfloat16"
    assert serving_path(Scenario.model_validate({"name": "x", "engine": url})) == "vLLM"
