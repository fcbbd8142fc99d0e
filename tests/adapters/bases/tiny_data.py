"""Rows that a very small network can learn in seconds: counting up, from a few starting points."""

from __future__ import annotations

from adapters.bases.pretraining.rows import Row, Span
from adapters.bases.pretraining.training import MoeTraining
from adapters.bases.tiny_model import TinyShape

SHAPE = TinyShape(hidden=32, layers=2, heads=2, kv_heads=1, head_dim=16, expert_width=32, experts=4)
RECIPE = MoeTraining(tokens=6_000, batch_tokens=256, learning_rate=1e-2, eval_tokens=2_000, seed=3)


def counting(start: int, length: int, weight: float = 1.0) -> Row:
    tokens = tuple(3 + (start + n) % 30 for n in range(length))
    return Row(tokens, (Span(2, length, weight),))


ROWS = [counting(start, 4 + start % 9) for start in range(60)]
HELD_OUT = {"counts": [counting(start, 12) for start in range(0, 30, 4)]}
