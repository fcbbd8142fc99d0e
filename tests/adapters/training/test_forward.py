"""Which bases are trained packed, and what the others are told."""

from __future__ import annotations

import pytest

from adapters.errors import TrainingError
from adapters.training.config import TrainConfig
from adapters.training.forward import row_forward
from adapters.training.packed_forward import PackedForward
from adapters.training.padded_forward import PaddedForward
from tests.adapters.training.stacks import carrying_model


def test_known_bases_are_packed_and_others_padded() -> None:
    model, stack = carrying_model("qwen3_moe")
    with row_forward(model, stack, TrainConfig(), longest_row=20) as forward:
        assert isinstance(forward, PackedForward)
    model.config.model_type = "gpt_unheard_of"
    with row_forward(model, stack, TrainConfig(), longest_row=20) as forward:
        assert isinstance(forward, PaddedForward)


def test_checkpointing_an_unknown_base_is_refused() -> None:
    model, stack = carrying_model("llama")
    model.config.sliding_window = 10
    config = TrainConfig(checkpoint_activations=True)
    with (
        pytest.raises(TrainingError, match=r"checkpoint_activations: .* rows of 20 tokens"),
        row_forward(model, stack, config, longest_row=20),
    ):
        pass
