"""Settings and their ranges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.errors import TrainingError
from adapters.training.config import TrainConfig


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("rows_per_step", 0),
        ("slots", 0),
        ("tokens_per_pass", 0),
        ("checkpoint_every", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("clip_norm", -1.0),
        ("weight_decay", -0.1),
        ("cache_gib", -1.0),
        ("cache_gib", float("inf")),
        ("warmup_share", 1.0),
        ("max_tokens", 1),
        ("seed", -1),
        ("decay", "exponential"),
    ],
)
def test_values_out_of_range_are_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(TrainingError, match=f"{key}: got {value}|{key}: got '{value}'"):
        TrainConfig(**{key: value})


def test_settings_go_into_a_manifest_as_plain_values() -> None:
    assert json.loads(json.dumps(TrainConfig().as_dict()))["spec"]["rank"] == 4
