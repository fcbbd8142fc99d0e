"""How a person writes: style habits, drawn once per person and independent of side and topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

import numpy as np

from agents.synthetic import style_words as words

T = TypeVar("T")
Casing = Literal["sentence", "lower", "loud", "title"]


@dataclass(frozen=True, slots=True)
class Habits:
    """One person's style; shares are probabilities in [0, 1], word lists hold the favourites."""

    casing: Casing
    end_mark: str
    join: str
    openers: tuple[str, ...]
    opener_share: float
    closers: tuple[str, ...]
    closer_share: float
    good: tuple[str, ...]
    bad: tuple[str, ...]
    intensifiers: tuple[str, ...]
    emoji: tuple[str, ...]
    emoji_share: float
    emoji_repeat: int
    tags: tuple[str, ...]
    tag_share: float
    tag_camel: bool
    stretch_share: float
    shout_share: float
    spellings: tuple[str, ...]
    second_clause_share: float

    def as_row(self) -> dict[str, object]:
        """Plain cells for the truth table; lists are joined by ` | `."""
        return {k: " | ".join(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of `options`, uniformly."""
    return options[int(rng.integers(len(options)))]


def _some(rng: np.random.Generator, options: Sequence[str], low: int, high: int) -> tuple[str, ...]:
    chosen = rng.choice(len(options), size=int(rng.integers(low, high + 1)), replace=False)
    return tuple(options[int(i)] for i in chosen)


def draw_habits(rng: np.random.Generator) -> Habits:
    """Draw one person's style; every trait is independent of side and topics."""
    casings: tuple[Casing, ...] = ("sentence", "lower", "loud", "title")
    return Habits(
        casing=casings[int(rng.choice(4, p=[0.52, 0.33, 0.07, 0.08]))],
        end_mark=pick(rng, words.END_MARKS),
        join=pick(rng, words.JOINS),
        openers=_some(rng, words.OPENERS, 1, 3),
        opener_share=float(rng.beta(0.8, 1.2)),
        closers=_some(rng, words.CLOSERS, 1, 3),
        closer_share=float(rng.beta(0.8, 1.4)),
        good=_some(rng, words.GOOD_WORDS, 1, 3),
        bad=_some(rng, words.BAD_WORDS, 1, 3),
        intensifiers=_some(rng, words.INTENSIFIERS, 1, 2),
        emoji=_some(rng, words.EMOJI, 1, 3),
        emoji_share=float(rng.beta(0.5, 1.2)),
        emoji_repeat=int(rng.choice([1, 1, 1, 2, 3])),
        tags=_some(rng, words.TAGS, 1, 3),
        tag_share=float(rng.beta(0.4, 1.8)),
        tag_camel=bool(rng.random() < 0.5),
        stretch_share=float(rng.beta(0.4, 3.0)),
        shout_share=float(rng.beta(0.4, 4.0)),
        spellings=_some(rng, tuple(words.SPELLINGS), 0, 3),
        second_clause_share=float(rng.beta(1.0, 1.5)),
    )
