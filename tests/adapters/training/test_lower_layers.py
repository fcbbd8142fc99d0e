"""States that enter the first layer with an adapter: kept, partly kept or computed each time, they are the same."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lora.packing import pack
from adapters.training.lower_layers import LowerLayers
from tests.adapters.tiny import tiny_model

MODEL = tiny_model("llama")
ROWS = ((1, 2, 3, 4), (1, 2, 5), (7, 8, 9, 10, 11), (7, 8), (1, 2, 3))


def expected(row: tuple[int, ...], first: int) -> torch.Tensor:
    with torch.no_grad():
        states: torch.Tensor = MODEL(torch.tensor([row]), output_hidden_states=True).hidden_states[first][0]
    return states


# One token takes 32 × 4 = 128 bytes; the first pass below has 5 tokens and the second 5.
@given(
    tokens=st.integers(0, 12),
    chosen=st.lists(st.sampled_from(ROWS), min_size=1, max_size=4),
    others=st.lists(st.sampled_from(ROWS), min_size=1, max_size=3),
    first=st.sampled_from([0, 1]),
)
@settings(deadline=None)
def test_states_are_the_models_own_whatever_was_kept(
    tokens: int, chosen: list[tuple[int, ...]], others: list[tuple[int, ...]], first: int
) -> None:
    lower = LowerLayers(MODEL, first, budget=128 * tokens)
    lower.keep([[ROWS[:2]], [ROWS[2:4]]])
    assert lower.tokens_kept == (0 if not first or tokens < 5 else 5 if tokens < 10 else 10)
    groups = [chosen, others]
    packed = pack(groups)
    states = lower.states(packed, groups)
    for row, home in zip((row for group in groups for row in group), packed.homes, strict=True):
        torch.testing.assert_close(states[torch.from_numpy(home)], expected(row, first), atol=1e-5, rtol=1e-5)


def test_what_was_kept_for_earlier_users_is_given_up() -> None:
    lower = LowerLayers(MODEL, 1, budget=1 << 20)
    lower.keep([[ROWS[:2]]])
    lower.keep([[ROWS[2:4]]])
    assert lower.tokens_kept == 5


def test_kept_rows_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lower = LowerLayers(MODEL, 1, budget=1 << 20)
    lower.keep([[ROWS[:2], ROWS[2:4]]])
    monkeypatch.setattr(LowerLayers, "_walk", None)
    groups = [ROWS[2:4], ROWS[:1]]
    assert len(lower.states(pack(groups), groups)) == 9
