"""Drawing tokens: one number from the request's own generator decides, never a neighbour in the batch.

A draw inverts the cumulative distribution in order of token id. Two requests with one seed therefore draw alike
where their distributions are alike, which is what pairs the conditions of an experiment.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

_BLOCK = 64


def uniforms(seed: int, count: int) -> NDArray[np.float64]:
    """The numbers that one request draws with.

    Args:
        seed: of the request, at least 0.
        count: tokens at most.

    Returns:
        [count, 2] in [0, 1): for each token one number for its draw, one for the redraw under a grammar.
    """
    return np.random.default_rng(seed).random((count, 2))


def draw(logits: Tensor, temperature: Tensor, top_p: Tensor, uniform: Tensor) -> Tensor:
    """Draw one token per row.

    Args:
        logits: [rows, vocabulary]; −inf marks what must not be drawn.
        temperature: [rows]; 0 takes the most likely token, the first of equals.
        top_p: [rows], in (0, 1].
        uniform: [rows], in [0, 1).

    Returns:
        Token ids [rows].
    """
    warm = temperature > 0
    if not warm.any():
        return _most_likely(logits)
    if not warm.all():
        tokens = _most_likely(logits)
        tokens[warm] = draw(logits[warm], temperature[warm], top_p[warm], uniform[warm])
        return tokens
    probabilities = torch.softmax(logits / temperature[:, None], dim=-1)
    if (top_p < 1).any():
        probabilities = nucleus(probabilities, top_p)
    return _invert(probabilities, uniform)


def nucleus(probabilities: Tensor, top_p: Tensor) -> Tensor:
    """Zero all but the smallest set of most likely tokens that holds the mass `top_p`; not rescaled.

    Tokens exactly as likely as the least likely one in the set stay with it.

    Args:
        probabilities: [rows, vocabulary], each row summing to 1.
        top_p: [rows], in (0, 1].

    Source: Holtzman et al. 2020, arXiv 1904.09751.
    """
    rising = _sorted(probabilities)
    sums = rising.cumsum(dim=-1)
    dropped = torch.searchsorted(sums, (1 - top_p)[:, None] * sums[:, -1:], right=True)
    least = rising.gather(-1, dropped.clamp_max(rising.shape[-1] - 1))
    return probabilities.masked_fill(probabilities < least, 0)


def one_token_nuclei(logits: Tensor, temperature: Tensor, top_p: Tensor) -> Tensor:
    """Rows that draw their most likely token for certain: bool [rows].

    Ruling out other tokens can only raise its share, so such a row needs no mask while that token is allowed.
    """
    scaled = logits / temperature[:, None].clamp_min(1e-6)
    share = (scaled.amax(dim=-1) - scaled.logsumexp(dim=-1)).exp()
    return (temperature == 0) | (share >= top_p)


def _sorted(values: Tensor) -> Tensor:
    if values.device.type == "cpu":  # NumPy's sort is vectorised, twenty times as fast as torch's
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))
    return values.sort(dim=-1).values


def _most_likely(logits: Tensor) -> Tensor:
    if logits.device.type == "cpu":  # likewise
        return torch.from_numpy(logits.numpy().argmax(axis=-1))
    return logits.argmax(dim=-1)


def _invert(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first token up to which the weights sum to more than the uniform number's share of their total.

    In two steps, first to a block of tokens and then within it: one exact running sum over the whole
    vocabulary would cost a fifth of a small model's step.
    """
    if missing := -weights.shape[1] % _BLOCK:
        weights = pad(weights, (0, missing))
    weights = weights.view(len(weights), -1, _BLOCK)
    wide = widest(weights.device)
    sums = weights.sum(dim=-1).to(wide).cumsum(dim=-1)
    target = uniform.to(wide) * sums[:, -1]
    block = _first_above(sums, target)
    rows = torch.arange(len(weights), device=weights.device)
    before = torch.where(block > 0, sums[rows, block - 1], 0)
    within = weights[rows, block].cumsum(dim=-1, dtype=wide)
    return block * _BLOCK + _first_above(within, target - before)


def _first_above(sums: Tensor, target: Tensor) -> Tensor:
    """For each row of rising sums the first place above the target, which rounding may not push out."""
    below_last = torch.nextafter(sums[:, -1], torch.zeros_like(target))
    target = torch.minimum(target, below_last).clamp_min(0)
    return torch.searchsorted(sums, target[:, None], right=True).flatten()


def widest(device: torch.device) -> torch.dtype:
    """The type for sums over a vocabulary: float64 but on MPS, which has none."""
    return torch.float32 if device.type == "mps" else torch.float64
