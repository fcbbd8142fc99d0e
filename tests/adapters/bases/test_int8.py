"""Linears in 8 bits compute what their rounded numbers say, token by token."""

from __future__ import annotations

import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from adapters.bases.int8 import Int8Linear, Rounding, exact_products

pytestmark = pytest.mark.skipif(not exact_products(), reason="this processor has no exact 8-bit products")


def some_linear(d_in: int, d_out: int, seed: int, *, bias: bool = True) -> nn.Linear:
    generator = torch.Generator().manual_seed(seed)
    linear = nn.Linear(d_in, d_out, bias=bias).requires_grad_(False)
    for parameter in linear.parameters():
        parameter.normal_(generator=generator)
    return linear


def some_tokens(n: int, d_in: int, seed: int) -> Tensor:
    return torch.randn(n, d_in, generator=torch.Generator().manual_seed(seed))


sizes = st.tuples(st.integers(1, 140), st.integers(1, 70), st.integers(1, 40), st.integers(0, 9))


@settings(max_examples=40)
@given(sizes)
def test_the_output_is_the_product_of_the_rounded_numbers(size: tuple[int, int, int, int]) -> None:
    """Whole numbers and scales worked out here in float64: at most half a step from the input, and 127 steps wide."""
    n, d_in, d_out, seed = size
    linear, x = some_linear(d_in, d_out, seed), some_tokens(n, d_in, seed + 1)
    smoothing = some_tokens(1, d_in, seed + 2)[0].exp()
    int8 = Int8Linear(linear, Rounding(smoothing))
    smoothed = (x * smoothing.reciprocal()).double()
    steps = smoothed.abs().amax(dim=1, keepdim=True) / 127
    rounded = torch.round(smoothed / steps) * steps
    channels = (linear.weight * smoothing).double()
    scales = channels.abs().amax(dim=1, keepdim=True) / 127
    expected = rounded @ (torch.round(channels / scales) * scales).t() + linear.bias.double()
    # A number that lies on the border of two steps may go to either.
    one_step = (steps * scales.t() * 127).max() * 2
    assert (int8(x).double() - expected).abs().max() <= one_step
    assert int8.weight.dtype == torch.int8


@settings(max_examples=40)
@given(sizes, st.integers(1, 40))
def test_a_token_does_not_depend_on_those_beside_it(size: tuple[int, int, int, int], others: int) -> None:
    """Bit for bit: alone, and among tokens a million times as large."""
    n, d_in, d_out, seed = size
    int8 = Int8Linear(some_linear(d_in, d_out, seed), Rounding(torch.ones(d_in)))
    x = some_tokens(n, d_in, seed + 1)
    beside = torch.cat([1e6 * some_tokens(others, d_in, seed + 2), x])
    assert torch.equal(int8(beside)[others:], int8(x))
    assert torch.equal(int8(x[-1:]), int8(x)[-1:])


def test_smoothing_keeps_small_channels_beside_a_large_one() -> None:
    """One channel a thousand times as large takes all the steps, unless each is divided by its factor."""
    linear, x = some_linear(64, 32, 0, bias=False), some_tokens(50, 64, 1)
    x[:, 7] *= 1000
    factors = torch.ones(64)
    factors[7] = 1000**0.5
    errors = [
        float((Int8Linear(linear, Rounding(smoothing))(x) - linear(x)).square().mean())
        for smoothing in (torch.ones(64), factors)
    ]
    assert errors[1] < errors[0] / 2


def test_a_token_of_zeros_gets_the_bias() -> None:
    linear = some_linear(8, 5, 0)
    assert torch.equal(
        Int8Linear(linear, Rounding(torch.ones(8)))(torch.zeros(2, 3, 8)), linear.bias.expand(2, 3, 5)
    )


def test_nothing_can_be_learnt_through_it() -> None:
    int8 = Int8Linear(some_linear(8, 5, 0), Rounding(torch.ones(8)))
    with pytest.raises(RuntimeError, match="train on the base in float32"):
        int8(torch.zeros(1, 8, requires_grad=True))


def test_linears_that_share_a_rounding_compute_as_alone() -> None:
    """Whatever was asked before, and of a new input that lies where an old one lay."""
    alone = [Int8Linear(some_linear(8, out, out), Rounding(torch.ones(8))) for out in (5, 7)]
    rounding = Rounding(torch.ones(8))
    together = [Int8Linear(some_linear(8, out, out), rounding) for out in (5, 7)]
    for seed in range(20):
        x = some_tokens(3, 8, seed)
        for one, other in zip(alone, together, strict=True):
            assert torch.equal(one(x), other(x))


def test_whole_numbers_are_kept_no_longer_than_their_input() -> None:
    rounding = Rounding(torch.ones(8))
    x = some_tokens(3, 8, 0)
    kept = weakref.ref(rounding(x).q)
    assert rounding(x).q is kept()
    del x
    assert kept() is None
