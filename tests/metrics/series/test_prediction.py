"""Scores of predicted classes."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.errors import MetricInputError
from metrics.series.prediction import prediction_score

SCALE = np.array([-1.0, 0.0, 1.0])


def test_by_hand() -> None:
    # Stated 0 0 1 2, predicted 0 1 1 0. Class 0: precision 1/2, recall 1/2, F1 1/2. Class 1: 1/2, 1, 2/3.
    # Class 2: never predicted, 0. Mean 7/18. Distances 0, 1, 0, 2.
    score = prediction_score(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), SCALE)
    assert score.n == 4
    assert score.accuracy == 0.5
    assert score.macro_f1 == pytest.approx(7 / 18)
    assert score.mae == 0.75


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(MetricInputError, match="0 stated"):
        prediction_score(np.array([], dtype=int), np.array([], dtype=int), SCALE)
