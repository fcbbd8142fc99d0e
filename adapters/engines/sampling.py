"""Drawing tokens: one number from the request's own generator decides, so neighbours in a batch never do.

A draw inverts the cumulative distribution in order of token id. Two requests with one seed therefore draw alike
where their distributions are alike, which is what pairs the conditions of an experiment.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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
    tokens = logits.argmax(dim=-1)
    warm = temperature.nonzero().flatten()
    if not len(warm):
        return tokens
    probabilities = torch.softmax(logits[warm] / temperature[warm, None], dim=-1)
    narrow = (top_p[warm] < 1).nonzero().flatten()
    if len(narrow):
        probabilities[narrow] = nucleus(probabilities[narrow], top_p[warm][narrow])
    tokens[warm] = _invert(probabilities, uniform[warm])
    return tokens


def nucleus(probabilities: Tensor, top_p: Tensor) -> Tensor:
    """Zero all but the smallest set of most likely tokens that holds the mass `top_p`; not rescaled.

    Args:
        probabilities: [rows, vocabulary], each row summing to 1.
        top_p: [rows], in (0, 1].

    Source: Holtzman et al. 2020, arXiv 1904.09751.
    """
    likely, order = probabilities.sort(dim=-1, descending=True, stable=True)
    mass_before = likely.cumsum(dim=-1, dtype=widest(likely.device)) - likely
    kept = likely.masked_fill(mass_before >= top_p[:, None], 0)
    kept[:, 0] = likely[:, 0]  # one token is always left
    return torch.zeros_like(probabilities).scatter(-1, order, kept)


def _invert(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The first token whose cumulative probability exceeds the uniform number's share of the total."""
    cumulative = probabilities.cumsum(dim=-1, dtype=widest(probabilities.device))
    total = cumulative[:, -1:]
    below_total = torch.nextafter(total, torch.zeros_like(total))
    target = torch.minimum(uniform.to(total.dtype)[:, None] * total, below_total)
    return torch.searchsorted(cumulative, target, right=True).flatten()


def widest(device: torch.device) -> torch.dtype:
    """The type for sums over a vocabulary: float64 but on MPS, which has none."""
    return torch.float32 if device.type == "mps" else torch.float64
