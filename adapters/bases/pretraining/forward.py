"""What a whole base says of packed rows: the loss of every learned token, and its routers' logits."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from adapters.bases.pretraining.rows import Batch
from adapters.lora.packed_attention import packed_attention, packed_inputs
from adapters.training.frozen_norms import frozen_norms
from adapters.training.token_loss import linear_cross_entropy


class Said(NamedTuple):
    """`nll`: −log p of each learned token, (learned tokens,); `router_logits`: one (tokens, E) per layer."""

    nll: Tensor
    router_logits: tuple[Tensor, ...]


def forward(model: PreTrainedModel, batch: Batch) -> Said:
    """Run a mixture-of-experts base on packed rows; gradients reach whatever asks for them.

    No position is padding, so losses and router logits are of real tokens alone.

    Args:
        model: of an architecture in `adapters.lora.packed_attention.ARCHITECTURES`.
        batch: rows no longer than the base's attention window.
    """
    with packed_attention(model), frozen_norms(model):
        out = model.model(**packed_inputs(batch.packed), output_router_logits=True)
    # Logits only where something is learned: most positions are context, and the vocabulary is half the work.
    hidden = out.last_hidden_state.squeeze(0).index_select(0, batch.at)
    head = model.lm_head.weight
    if head.requires_grad:
        nll = cross_entropy(hidden @ head.t(), batch.target, reduction="none")
    else:
        nll = linear_cross_entropy(hidden, head, batch.target)
    return Said(nll, tuple(out.router_logits))
