"""Texts and vectors for tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

WORDS = ("a", "b", "c", "dog", "cat", "#tag", "@me", "https://t.co/x", "😀")

texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), max_size=12)
"""Few words, so that repeats of every kind occur; empty texts, too."""


def unit_rows(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    rows = rng.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
