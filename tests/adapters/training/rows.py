"""Random training rows: some with a prompt that a user's rows share."""

from __future__ import annotations

import numpy as np

from adapters.training.data import Example


def random_rows(
    n: int, seed: int, *, prompt: int = 0, shortest: int = 4, longest: int = 12, vocabulary: int = 256
) -> list[Example]:
    """Rows of a shared prompt of `prompt` tokens as context and a learned rest of random length."""
    rng = np.random.default_rng(seed)
    context = rng.integers(vocabulary, size=prompt).tolist()
    rows = []
    for _ in range(n):
        rest = rng.integers(vocabulary, size=rng.integers(shortest, longest + 1)).tolist()
        rows.append(Example((*context, *rest), learn_from=max(1, prompt)))
    return rows
