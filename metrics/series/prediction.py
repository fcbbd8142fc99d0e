"""How well the next stated opinion is told beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metrics.errors import MetricInputError


@dataclass(frozen=True, slots=True)
class PredictionScore:
    """Predicted classes against stated ones.

    Args:
        n: predictions.
        accuracy: share that is right, in [0, 1].
        macro_f1: F1 averaged over the classes that occur in either, each counting the same, in [0, 1].
        mae: mean distance of predicted and stated opinion on the scale of opinions, in [0, 2]; 0 all right.
    """

    n: int
    accuracy: float
    macro_f1: float
    mae: float


def prediction_score(
    told: NDArray[np.int64], predicted: NDArray[np.int64], scale: NDArray[np.float64]
) -> PredictionScore:
    """Score predictions.

    Args:
        told: [E] index of the stated class.
        predicted: [E] index of the predicted class.
        scale: [K] opinion of each class, in [−1, 1].

    Raises:
        MetricInputError: unequal lengths, or nothing to score.

    Source: accuracy and macro-F1 as in Okawa & Iwata, KDD 2022; mae on our scale.
    """
    if len(told) != len(predicted) or not len(told):
        raise MetricInputError(
            f"prediction: {len(told)} stated, {len(predicted)} predicted; expected as many, > 0"
        )
    from sklearn.metrics import f1_score

    return PredictionScore(
        n=len(told),
        accuracy=float((told == predicted).mean()),
        macro_f1=float(f1_score(told, predicted, average="macro", zero_division=0.0)),
        mae=float(np.abs(scale[told] - scale[predicted]).mean()),
    )
