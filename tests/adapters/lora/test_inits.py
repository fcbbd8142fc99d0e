"""The standard start of an adapter."""

from __future__ import annotations

import torch
from torch import nn

from adapters.lora.inits import fresh_adapter
from adapters.lora.spec import LoraSpec

SHAPES = {"a.q_proj": (64, 48), "b.q_proj": (64, 64)}


def test_same_generator_same_adapter_and_b_is_zero() -> None:
    spec = LoraSpec(rank=8, targets=("q_proj",))
    one, two = (fresh_adapter(spec, SHAPES, torch.Generator().manual_seed(4)) for _ in range(2))
    for path, (d_in, d_out) in SHAPES.items():
        assert torch.equal(one.pairs[path].A, two.pairs[path].A)
        assert one.pairs[path].A.shape == (8, d_in)
        assert torch.equal(one.pairs[path].B, torch.zeros(d_out, 8))
    assert not torch.equal(one.pairs["a.q_proj"].A, one.pairs["b.q_proj"].A)


def test_a_is_drawn_as_torch_draws_a_linear() -> None:
    """PEFT draws A as nn.init.kaiming_uniform_(a=√5), on a linear of shape (r, d_in)."""
    ours = fresh_adapter(LoraSpec(targets=("q_proj",)), {"q_proj": (64, 8)}, torch.Generator().manual_seed(1))
    theirs = torch.empty(4, 64)
    nn.init.kaiming_uniform_(theirs, a=5**0.5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours.pairs["q_proj"].A, theirs, atol=1e-7, rtol=0)
