"""First weights of the tiny base depend on the seed alone."""

from __future__ import annotations

import torch

from adapters.bases.tiny_model import new_model
from adapters.bases.tiny_tokenizer import train_tokenizer
from tests.adapters.bases.tiny_data import SHAPE


def test_first_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    tokenizer = train_tokenizer(["one two"], vocab_size=300)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, same, other = (new_model(SHAPE, tokenizer, seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    first = [m.model.layers[0].self_attn.q_proj.weight for m in (one, same, other)]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
