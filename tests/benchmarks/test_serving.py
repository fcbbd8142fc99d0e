"""What the serving benchmark compares, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import GenerationConfig

from adapters.engines.replies import stop_ids
from benchmarks import serving
from benchmarks.harness import Results


def test_every_promised_ratio_is_of_contestants() -> None:
    names = {serving.OWN, serving.BARE, serving.INT8, serving.PEFT, serving.VLLM}
    assert {name for pair in (*serving.GOALS, *serving.GOALS_OF_SMOLLM2) for name in pair} == names
    assert serving.Setting(serving.SMOLLM2, 64, 256, 40) in serving.FULL


def test_no_token_ends_a_reply(tmp_path: Path) -> None:
    base = serving._unending(serving._open_base("tiny-moe", tmp_path / "base"))
    assert stop_ids(base) == {-1}
    assert GenerationConfig.from_pretrained(base.path).eos_token_id is None


@pytest.mark.slow
def test_the_local_engine_and_peft_answer_alike(tmp_path: Path) -> None:
    results = Results()
    serving._measure_case(serving.Setting("tiny-moe", 3, 6, 4), tmp_path, results)
    shares = {goal.name: goal.met for goal in results.goals if goal.name.startswith("share")}
    assert shares == {f"share of replies that are {serving.PEFT}'s, tiny-moe": True}


def test_a_base_that_is_not_here_is_left_out_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLURES_BASES", str(tmp_path))
    monkeypatch.setattr(serving, "QUICK", (serving.Setting(serving.SMOLLM2, 2, 4, 2),))
    assert not serving.measure(quick=True).cases
    assert "smollm2 left out: get it with `plures base fetch smollm2`" in capsys.readouterr().err
