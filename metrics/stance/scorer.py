"""A calibrated stance of texts between two sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from metrics.stance.held_out import HeldOut
from metrics.stance.learner import Model


class TextScorer(Protocol):
    """Anything that gives texts a stance between two sides."""

    @property
    def positive_side(self) -> str:
        """The side whose texts score above 0."""
        ...

    @property
    def negative_side(self) -> str:
        """The side whose texts score below 0."""
        ...

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Stance of each text in [−1, 1]."""
        ...


@dataclass(frozen=True, eq=False)
class StanceScorer:
    """score = 2p − 1, with p the calibrated probability that a text was written by the positive side.

    1: certainly the positive side's words; 0: no telling; negative: the other side's. Exchanging the sides
    changes only the sign. A learnt scorer measures resemblance to how a side writes, not reasoned agreement.

    Args:
        positive_side: label above 0.
        negative_side: label below 0.
        kind: the name of the learner, such as `tfidf`.
        model: margins [n, 1] of the positive side over the negative.
        slope: calibration; logit = slope × margin, > 0.
        held_out: how well the same recipe did on users it had not seen. Always show it with results.

    Source: ours (stance scorers of arXiv 2606.02437 are not printed); calibration by one slope is
        temperature scaling (Guo et al. 2017).
    """

    positive_side: str
    negative_side: str
    kind: str
    model: Model
    slope: float
    held_out: HeldOut

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Stance of each text in [−1, 1]; no texts give an empty array."""
        if not len(texts):
            return np.zeros(0)
        return np.tanh(0.5 * self.slope * self.model.margins(texts)[:, 0])

    @property
    def summary(self) -> str:
        """Kind, sides and held-out record in one line."""
        return f"{self.kind}, {self.negative_side} (−1) to {self.positive_side} (+1); {self.held_out.summary}"
