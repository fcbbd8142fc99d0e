"""Generated texts, taken for whom they look like by style learned from real posts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.errors import MetricInputError
from metrics.text.imitation import ADAPTER, BASE, REAL, imitation

PEOPLE = [f"u{n}" for n in range(6)]


def _posts(personal: float, each: int, rng: np.random.Generator) -> pd.DataFrame:
    """Words from a common list and, with chance `personal`, from the person's own."""
    rows = []
    for person in PEOPLE:
        for _ in range(each):
            own = rng.random(8) < personal
            words = (
                f"{person}x{k}" if o else f"all{k}" for o, k in zip(own, rng.integers(0, 30, 8), strict=True)
            )
            rows.append((person, " ".join(words)))
    return pd.DataFrame(rows, columns=["person", "text"])


def test_own_style_is_found_and_nobodys_is_at_chance() -> None:
    rng = np.random.default_rng(0)
    train = _posts(0.5, 30, rng)
    texts = pd.concat(
        [
            _posts(0.5, 20, rng).assign(writer=REAL),
            _posts(0.3, 20, rng).assign(writer=ADAPTER),
            _posts(0.0, 20, rng).assign(writer=BASE),
        ],
        ignore_index=True,
    )
    found = imitation(train, texts, rng=rng)
    assert found.chance == pytest.approx(1 / 6)
    assert found.writers[ADAPTER].top1_post.low > 3 * found.chance
    assert found.writers[REAL].top1_tail.value == 1.0
    base = found.writers[BASE]
    assert base.top1_post.low <= found.chance <= base.top1_post.high
    assert (base.texts, base.people) == (120, 6)


def test_every_text_has_a_guess_among_the_people() -> None:
    rng = np.random.default_rng(1)
    texts = _posts(0.5, 3, rng).assign(writer=ADAPTER)
    found = imitation(_posts(0.5, 10, rng), texts, rng=rng)
    assert found.guesses["text"].tolist() == texts["text"].tolist()
    assert set(found.guesses["guess"]) <= set(PEOPLE)
    right = (found.guesses["guess"] == found.guesses["person"]).mean()
    assert right == pytest.approx(found.writers[ADAPTER].top1_post.value, abs=0.12)  # but for ties


def test_copies_of_the_persons_own_training_posts_are_counted() -> None:
    rng = np.random.default_rng(2)
    train = _posts(0.5, 4, rng)
    own = train.iloc[[0]].assign(writer=ADAPTER)
    strangers = own.assign(person="u5")
    found = imitation(train, pd.concat([own, strangers]), rng=rng)
    assert found.writers[ADAPTER].copied == 0.5


def test_no_text_at_all_is_no_result() -> None:
    rng = np.random.default_rng(3)
    none = pd.DataFrame(columns=["person", "writer", "text"])
    found = imitation(_posts(0.5, 3, rng), none, rng=rng)
    assert {shares.texts for shares in found.writers.values()} == {0}
    assert np.isnan([shares.top1_post.value for shares in found.writers.values()]).all()
    assert found.guesses.empty


def test_wrong_input_is_refused() -> None:
    rng = np.random.default_rng(4)
    train = _posts(0.5, 3, rng)
    one = pd.DataFrame({"person": ["u0"], "writer": [ADAPTER], "text": ["a"]})
    with pytest.raises(MetricInputError, match="writer: got 'ghost'"):
        imitation(train, one.assign(writer="ghost"), rng=rng)
    with pytest.raises(MetricInputError, match="'stranger' has no training posts"):
        imitation(train, one.assign(person="stranger"), rng=rng)
