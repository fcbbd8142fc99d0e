"""What a training is known by: everything that decides the result, and nothing that only costs time or memory."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.bases.loader import open_base
from adapters.store import TrainingKey
from sim.scenario import AdaptersBlock
from sim.training_jobs import Author, personal_jobs, pooled_job

AUTHORS = [
    Author(name, name, "keeps bees", (f"{name} likes rain", f"{name} is out")) for name in ("ana", "ben")
]
BASE = open_base("tiny-moe")


def key(**settings: Any) -> TrainingKey:
    return personal_jobs(BASE, AUTHORS, AdaptersBlock(**settings), "town")["ana"].key


@pytest.mark.parametrize(
    "settings",
    [{"cache_gib": 0}, {"checkpoint_activations": True}, {"tokens_per_pass": 7}, {"first_layer": 0}],
)
def test_speed_and_memory_leave_the_key_as_it_is(settings: dict[str, Any]) -> None:
    assert key(**settings) == key()


@pytest.mark.parametrize(
    "settings",
    [
        {"first_layer": 1},
        {"rank": 2},
        {"epochs": 1},
        {"rows_per_step": 1},
        {"learning_rate": 1e-3},
        {"max_tokens": 200},
        {"rendering": "raw"},
        {"seed": 1},
    ],
)
def test_what_decides_the_result_is_in_the_key(settings: dict[str, Any]) -> None:
    assert key(**settings) != key()


def test_one_adapter_for_all_takes_as_many_steps_as_one_of_theirs() -> None:
    """Everybody's rows, and as many of them a step as all personal adapters see together."""
    own = personal_jobs(BASE, AUTHORS, AdaptersBlock(rows_per_step=3), "town")
    pooled = pooled_job(BASE, AUTHORS, AdaptersBlock(rows_per_step=3), "town")
    assert pooled.config.rows_per_step == 2 * 3
    assert set(pooled.rows) == {row for job in own.values() for row in job.rows}
    assert len({job.name for job in (*own.values(), pooled)}) == 3
