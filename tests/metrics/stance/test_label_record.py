from __future__ import annotations

import numpy as np
import pytest

from metrics.stance.label_record import label_record


def test_the_record_by_hand() -> None:
    # truth a a b c; given a b b b
    probabilities = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 1, 0]])
    record = label_record(
        probabilities, np.array([0, 1, 1, 1]), np.array([0, 0, 1, 2]), "abc", shared_texts=0.25, n_folds=0
    )
    assert record.accuracy == 0.5
    assert record.majority == 0.5
    # F1: a: P 1, R ½ → 2/3; b: P 1/3, R 1 → ½; c: 0
    assert [one.f1 for one in record.labels] == pytest.approx([2 / 3, 1 / 2, 0.0])
    assert record.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert [one.n for one in record.labels] == [2, 1, 1]
    # Brier: 0, 2, ½² + ½², 2 → 4.5/4
    assert record.brier == pytest.approx(1.125)
    # a: at p = 0 one of three is an a → |0 − 1|/4; b: p = 1 twice with none → 2/4, p = ½ once with one → ½/4;
    # c: p = 0 three times with one → 1/4, p = ½ without → ½/4
    assert record.ece == pytest.approx((1 / 4 + 2.5 / 4 + 1.5 / 4) / 3)
    assert "macro-F1 0.389, accuracy 0.500 of 4 unseen texts" in record.summary


def test_constant_answers_have_the_macro_f1_that_the_docstring_gives() -> None:
    truth = np.repeat(np.arange(4), 5)
    record = label_record(
        np.full((20, 4), 0.25), np.zeros(20, dtype=int), truth, "abcd", shared_texts=0.0, n_folds=5
    )
    assert record.macro_f1 == pytest.approx(2 / (4 * 5))
    assert record.brier == pytest.approx(1 - 1 / 4)
    assert record.ece == pytest.approx(0.0)
