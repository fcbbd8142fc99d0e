"""Learning rates over a user's steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.training.config import Decay, TrainConfig
from adapters.training.schedule import learning_rate


def rates(steps: int, warmup_share: float, decay: Decay) -> list[float]:
    config = TrainConfig(learning_rate=1.0, warmup_share=warmup_share, decay=decay)
    return [learning_rate(t, steps, config) for t in range(steps)]


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        # 4 steps, half of them warm-up: 1/3, 2/3, then u = 0, 1/2.
        ("linear", [1 / 3, 2 / 3, 1.0, 0.5]),
        ("cosine", [1 / 3, 2 / 3, 1.0, 0.5]),
        ("constant", [1 / 3, 2 / 3, 1.0, 1.0]),
    ],
)
def test_warm_up_then_decay_by_hand(decay: Decay, expected: list[float]) -> None:
    assert rates(4, 0.5, decay) == pytest.approx(expected)


def test_cosine_is_flat_at_both_ends() -> None:
    """u = 1/4: (1 + cos 45°)/2 = 0.8536; u = 3/4: 0.1464."""
    assert rates(4, 0.0, "cosine") == pytest.approx([1.0, 0.8536, 0.5, 0.1464], abs=1e-4)


@given(
    steps=st.integers(1, 60),
    share=st.floats(0, 0.99),
    decay=st.sampled_from(["linear", "cosine", "constant"]),
)
def test_every_step_moves_and_the_rate_rises_once_then_falls(steps: int, share: float, decay: Decay) -> None:
    values = rates(steps, share, decay)
    top = values.index(max(values))
    assert max(values) == pytest.approx(1.0)
    assert min(values) > 0
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
