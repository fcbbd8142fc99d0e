"""What the vLLM benchmark says of its runs, and where there is no vLLM to run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapters.bases.loader import Base, open_base
from benchmarks import serving_vllm
from benchmarks.harness import Results
from benchmarks.vllm_loads import Answered, Asked, Batch, Stream, random_adapters


def answered(waits: list[float], adapters: str, *, took: float = 4.0, token: int = 1) -> Answered:
    asked = [Asked(adapter, (1, 2), 2) for adapter in adapters]
    return Answered(asked, took, waits, [(token, token)] * len(waits))


def test_waits_and_speed_are_taken_over_requests_and_over_adapters() -> None:
    """Median of 1, 2, 3, 6 is 2.5; adapter a waits (1 + 6) / 2; 8 tokens in 4 s."""
    run = answered([1, 2, 3, 6], "abca")
    assert run.speed == 2
    assert run.by_adapter == [3.5, 2, 3]
    assert run.unevenness == 6 / 2.5


def test_goals_compare_admission_with_vllms_own_scheduling_run_by_run() -> None:
    ours = [answered([1, 1, 2], "abc"), answered([1, 1, 2], "abc"), answered([1, 1, 4], "abc", token=2)]
    own = [answered([1, 1, 9], "abc", took=3.0)] * 3
    worst, speed, same = serving_vllm._stream_goals("t", {"admission": ours, "vLLM's own": own})
    assert (worst.value, worst.met) == (2, True)
    assert (speed.value, speed.met) == (0.75, False)
    assert (round(same.value, 3), same.met) == (0.667, False)


def test_few_slots_are_held_against_a_slot_for_every_adapter() -> None:
    batch, stream = Batch(256, 256, 5), Stream(256, 320, 128, 6)
    results = Results()
    speeds = {
        (8, batch): [1.0],
        (64, batch): [60.0],
        (64, stream): [90.0],
        (256, batch): [100.0],
        (256, stream): [100.0],
    }
    serving_vllm._compare_with_resident(results, speeds)
    assert [goal.value for goal in results.goals] == [0.6, 0.9]


def test_the_settings_cover_what_is_promised() -> None:
    assert {s.slots for s in serving_vllm.FULL} == {8, 16, 64, 256}
    assert {b.adapters for s in serving_vllm.FULL if s.slots < 256 for b in s.batches} == {1, 16, 64, 256}


def test_without_a_vllm_environment_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLURES_VLLM_ENV", str(tmp_path))
    with pytest.raises(SystemExit, match="plures serve install"):
        serving_vllm.measure(quick=True)


def test_random_adapters_fit_the_base_and_differ() -> None:
    base: Base = open_base("tiny-moe")
    first, second = random_adapters(base, 2).values()
    assert first.pairs.keys() == second.pairs.keys()
    assert len(first.pairs) == 4 * base.config.num_hidden_layers
    path = next(iter(first.pairs))
    assert not np.allclose(first.pairs[path].A, second.pairs[path].A)
