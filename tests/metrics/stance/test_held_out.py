from __future__ import annotations

import numpy as np
import pytest

from metrics.stance.held_out import calibration_error, held_out_record


def test_calibration_error_is_the_mean_gap_between_promise_and_outcome() -> None:
    # Bin 0.9: two texts, one positive: |0.9 − 0.5| = 0.4. Bin 0.1: two texts, none positive: 0.1. Mean 0.25.
    probability = np.array([0.9, 0.9, 0.1, 0.1])
    positive = np.array([True, False, False, False])
    assert calibration_error(probability, positive, np.ones(4)) == pytest.approx(0.25)
    # with all weight on the first bin
    assert calibration_error(probability, positive, np.array([1.0, 1, 0, 0])) == pytest.approx(0.4)


def test_certainty_can_be_perfect_or_worst() -> None:
    truth = np.array([True, False])
    assert calibration_error(np.array([1.0, 0.0]), truth, np.ones(2)) == 0.0
    assert calibration_error(np.array([0.0, 1.0]), truth, np.ones(2)) == 1.0
    assert np.isnan(calibration_error(np.array([]), np.array([], dtype=bool), np.array([])))


def test_the_record_counts_posts_and_users() -> None:
    # User 0 (positive): 0.9, 0.6 → told. User 1 (positive): 0.8, 0.1 → mean score −0.1, not told.
    # User 2 (negative): 0.5 → a score of exactly 0 is wrong.
    record = held_out_record(
        np.array([0.9, 0.6, 0.8, 0.1, 0.5]),
        np.array([True, True, True, True, False]),
        np.array([0, 0, 1, 1, 2]),
        np.array([1.0, 1, 1, 1, 4]),
        shared_texts=0.2,
        n_folds=2,
    )
    assert (record.accuracy_post, record.accuracy_user) == pytest.approx((3 / 5, 1 / 3))
    assert (record.recall_positive, record.recall_negative) == (0.5, 0.0)
    assert record.majority_user == pytest.approx(2 / 3)
    # (0.01 + 0.16 + 0.04 + 0.81 + 4·0.25) / 8
    assert record.brier == pytest.approx(2.02 / 8)
    assert (record.n_posts, record.n_users, record.n_folds, record.shared_texts) == (5, 3, 2, 0.2)
    assert "0.333 of 3 users" in record.summary
