"""The learning rate of one user, over that user's own steps."""

from __future__ import annotations

import math

from adapters.training.config import TrainConfig


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Linear warm-up to the peak, then decay; no step has a rate of zero.

    With w warm-up steps, step t < w has peak · (t + 1)/(w + 1); afterwards u = (t − w)/(steps − w) and
    the rate is peak · (1 − u), peak · (1 + cos πu)/2 or peak.

    Args:
        step: t, from 0 to steps − 1.
        steps: of this user in the whole run.
        config: peak, warm-up and kind of decay.
    """
    warm = int(config.warmup_share * steps)
    if step < warm:
        return config.learning_rate * (step + 1) / (warm + 1)
    done = (step - warm) / (steps - warm)
    match config.decay:
        case "linear":
            return config.learning_rate * (1 - done)
        case "cosine":
            return config.learning_rate * (1 + math.cos(math.pi * done)) / 2
        case "constant":
            return config.learning_rate
