"""Batches hold every row once, within the budget, and point at exactly the learned tokens."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.bases.pretraining.rows import Row, Span, batches, collate, in_passes


@st.composite
def rows(draw: st.DrawFn) -> Row:
    tokens = tuple(draw(st.lists(st.integers(1, 99), min_size=2, max_size=20)))
    start = draw(st.integers(1, len(tokens) - 1))
    stop = draw(st.integers(start + 1, len(tokens)))
    return Row(tokens, (Span(start, stop, draw(st.sampled_from([0.5, 1.0, 2.0]))),))


@given(st.lists(rows(), min_size=1, max_size=40), st.integers(20, 200), st.integers(0, 9))
def test_every_row_is_in_one_batch_and_no_batch_exceeds_its_budget(
    many: list[Row], budget: int, seed: int
) -> None:
    groups = list(batches(np.random.default_rng(seed), many, budget))
    assert sorted(r for g in groups for r in g) == sorted(many)
    assert all(len(g) * max(len(r.tokens) for r in g) <= budget for g in groups)


@given(st.lists(rows(), min_size=1, max_size=8))
def test_targets_are_the_tokens_after_their_positions(many: list[Row]) -> None:
    batch = collate(many)
    learned = [t for r in many for s in r.spans for t in r.tokens[s.start : s.stop]]
    assert batch.target.tolist() == learned
    assert torch.equal(batch.packed.input_ids[0, batch.at + 1], batch.target)
    assert batch.weight.tolist() == [s.weight for r in many for s in r.spans for _ in range(s.start, s.stop)]
    assert batch.tokens == sum(len(r.tokens) for r in many)
    assert batch.packed.input_ids[0].tolist() == [t for r in many for t in r.tokens]


def test_similar_lengths_share_a_batch() -> None:
    many = [Row(tuple(range(1, n)), (Span(1, n - 1),)) for n in (5, 50) for _ in range(8)]
    groups = list(batches(np.random.default_rng(0), many, 200))
    assert all(len({len(r.tokens) for r in g}) == 1 for g in groups)


@given(st.lists(rows(), min_size=1, max_size=12), st.integers(1, 60))
def test_passes_keep_the_order_and_the_limit(many: list[Row], limit: int) -> None:
    passes = in_passes(many, limit)
    assert [row for part in passes for row in part] == many
    assert all(len(part) == 1 or sum(len(r.tokens) for r in part) <= limit for part in passes)
