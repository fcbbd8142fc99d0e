"""AdamW per slot against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from adapters.training.optimizer import StackedAdamW

SHAPES = {"a": (3, 2, 5), "b": (3, 4, 2)}
CLIP, DECAY = 0.7, 0.05


def draws(generator: torch.Generator) -> dict[str, Tensor]:
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def test_each_slot_moves_as_torch_moves_it_alone_even_when_it_pauses() -> None:
    """Slot 1 pauses in steps 2 and 3, slot 2 starts in step 3; rates differ by slot and step."""
    generator = torch.Generator().manual_seed(0)
    start = draws(generator)
    stacked = {name: tensor.clone() for name, tensor in start.items()}
    ours = StackedAdamW(stacked.values(), weight_decay=DECAY, clip_norm=CLIP)
    alone = [[start[name][slot].clone().requires_grad_() for name in SHAPES] for slot in range(3)]
    theirs = [torch.optim.AdamW(params, lr=1.0, weight_decay=DECAY) for params in alone]
    for step, active in enumerate([(0, 1), (0,), (0, 2), (0, 1, 2), (1, 2)]):
        gradients = draws(generator)
        rates = torch.zeros(3)
        for slot in active:
            rates[slot] = 0.01 * (step + 1) * (slot + 1)
            for p, name in zip(alone[slot], SHAPES, strict=True):
                p.grad = gradients[name][slot].clone()
            torch.nn.utils.clip_grad_norm_(alone[slot], CLIP)
            theirs[slot].param_groups[0]["lr"] = rates[slot].item()
            theirs[slot].step()
        for name, p in stacked.items():
            p.grad = gradients[name] * (rates > 0)[:, None, None]
        ours.step(rates, ours.take_gradients())
        for slot in range(3):
            for p, name in zip(alone[slot], SHAPES, strict=True):
                torch.testing.assert_close(stacked[name][slot], p.detach(), atol=1e-6, rtol=1e-5)


def test_a_slot_that_takes_no_part_keeps_weights_and_state_in_bits() -> None:
    generator = torch.Generator().manual_seed(1)
    stacked = draws(generator)
    optimizer = StackedAdamW(stacked.values(), weight_decay=DECAY, clip_norm=CLIP)

    def step(rates: list[float]) -> None:
        for name, p in stacked.items():
            p.grad = torch.randn(SHAPES[name], generator=generator) * (torch.tensor(rates) > 0)[:, None, None]
        optimizer.step(torch.tensor(rates), optimizer.take_gradients())

    step([0.1, 0.1, 0.1])
    before = {name: t.clone() for name, t in (stacked | optimizer.state()).items()}
    step([0.1, 0.0, 0.1])
    for name, tensor in (stacked | optimizer.state()).items():
        assert torch.equal(tensor[1], before[name][1])
        assert not torch.equal(tensor[0], before[name][0])


def test_a_step_without_gradients_is_refused() -> None:
    optimizer = StackedAdamW([torch.zeros(2, 3)], weight_decay=0.0, clip_norm=1.0)
    with pytest.raises(RuntimeError, match="run a backward pass"):
        optimizer.take_gradients()
