"""Draws follow the distribution, depend on the row alone and never pick what is ruled out."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adapters.engines.sampling import draw, nucleus, uniforms

LOGITS = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=12)


def draw_row(logits: list[float], uniform: float, *, temperature: float = 1.0, top_p: float = 1.0) -> int:
    columns = (torch.tensor([x], dtype=torch.float64) for x in (temperature, top_p, uniform))
    return int(draw(torch.tensor([logits]), *columns))


def test_the_number_picks_the_token_whose_cumulative_probability_it_falls_into() -> None:
    logits = [np.log(p) for p in (0.2, 0.5, 0.3)]  # cumulative: 0.2, 0.7, 1.0
    assert [draw_row(logits, u) for u in (0.0, 0.19, 0.21, 0.69, 0.71, 0.9999999)] == [0, 0, 1, 1, 2, 2]


def test_shares_of_many_draws_are_the_probabilities() -> None:
    p = np.array([0.05, 0.6, 0.1, 0.25])
    rows = 4000
    logits = torch.from_numpy(np.log(p)).float().expand(rows, -1)
    uniform = torch.from_numpy(np.random.default_rng(0).random(rows))
    tokens = draw(logits, torch.ones(rows), torch.ones(rows), uniform)
    shares = torch.bincount(tokens, minlength=4) / rows
    np.testing.assert_allclose(shares, p, atol=4 * 0.5 / np.sqrt(rows))  # four standard errors at most


def test_temperature_sharpens() -> None:
    # p ∝ p^(1/T): at T = 0.5, (0.6, 0.4) becomes (0.36, 0.16)/0.52 = (0.692, 0.308)
    logits = [float(np.log(0.6)), float(np.log(0.4))]
    assert [draw_row(logits, 0.65), draw_row(logits, 0.65, temperature=0.5)] == [1, 0]


@given(LOGITS, st.floats(0, 1, exclude_max=True))
def test_temperature_zero_takes_the_first_of_the_most_likely(logits: list[float], uniform: float) -> None:
    assert draw_row(logits, uniform, temperature=0) == int(np.argmax(np.float32(logits)))


@given(LOGITS, st.floats(0, 1, exclude_max=True), st.floats(0.05, 1), st.data())
def test_ruled_out_tokens_are_never_drawn(
    logits: list[float], uniform: float, top_p: float, data: st.DataObject
) -> None:
    keep = data.draw(st.integers(0, len(logits) - 1))
    ruled_out = [x if i == keep or i % 2 else -np.inf for i, x in enumerate(logits)]
    token = draw_row(ruled_out, uniform, top_p=top_p)
    assert np.isfinite(ruled_out[token])


@given(LOGITS, st.floats(0.01, 1))
def test_a_nucleus_is_the_smallest_set_of_most_likely_tokens_with_its_mass(
    logits: list[float], top_p: float
) -> None:
    p = torch.softmax(torch.tensor([logits]), dim=-1)
    kept = nucleus(p, torch.tensor([top_p]))[0]
    inside, outside = p[0][kept > 0], p[0][kept == 0]
    assert (kept[kept > 0] == inside).all()
    assert not len(outside) or inside.min() > outside.max()
    assert inside.sum() >= top_p - 1e-5
    assert inside[inside > inside.min()].sum() < top_p + 1e-5


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(0, 2**32))
def test_a_row_draws_the_same_in_any_batch(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def column(values: object) -> Tensor:
        return torch.from_numpy(np.asarray(values))

    logits = column(rng.normal(0, 3, (rows, 9)).astype(np.float32))
    settings_of_rows = [column(rng.choice(c, rows)) for c in ([0, 0.7, 1], [0.3, 0.9, 1], rng.random(5))]
    together = draw(logits, *settings_of_rows)
    alone = [int(draw(logits[i : i + 1], *(s[i : i + 1] for s in settings_of_rows))) for i in range(rows)]
    assert together.tolist() == alone


def test_equal_seeds_give_equal_numbers_and_longer_replies_the_same_beginning() -> None:
    assert np.array_equal(uniforms(7, 5), uniforms(7, 9)[:5])
    assert not np.array_equal(uniforms(7, 5), uniforms(8, 5))
