"""Which forward pass a base is trained with: packed where its layers are known, padded elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

from adapters.errors import TrainingError
from adapters.lora.layers import StackedLora
from adapters.lora.packed_attention import supports_packing
from adapters.training.batches import RowForward
from adapters.training.config import TrainConfig
from adapters.training.frozen_mlp import frozen_mlps
from adapters.training.frozen_norms import frozen_norms
from adapters.training.packed_forward import PackedForward
from adapters.training.padded_forward import PaddedForward


@contextmanager
def row_forward(
    model: PreTrainedModel, stack: StackedLora, config: TrainConfig, longest_row: int
) -> Iterator[RowForward]:
    """Prepare the model for losses of rows up to `longest_row` tokens; it is as before afterwards.

    Raises:
        TrainingError: `checkpoint_activations` on a base whose layers we do not walk ourselves.
    """
    if supports_packing(model, longest_row):
        cache = config.cache_gib * 2**30
        with frozen_norms(model), frozen_mlps(model):
            yield PackedForward(model, stack, cache_bytes=cache, checkpointed=config.checkpoint_activations)
    elif config.checkpoint_activations:
        raise TrainingError(
            f"checkpoint_activations: not for model type {model.config.model_type!r} with rows of {longest_row} "
            "tokens, whose layers are not run one by one; leave it out and lower tokens_per_pass to save memory"
        )
    else:
        yield PaddedForward(model, stack)
