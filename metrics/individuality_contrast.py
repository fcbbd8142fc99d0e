"""Does one way of making adapters carry people better than another? The same posts of the same people, paired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metrics.errors import MetricInputError
from metrics.individuality import Estimate, draw_people, ratio_estimate
from metrics.intervals import RESAMPLES


@dataclass(frozen=True, slots=True)
class IndividualityContrast:
    """First way minus second; intervals are bootstrapped over people, who stay paired.

    Args:
        own_nats: mean −log p per token of held-out posts under the own adapter; below 0: the first fits better.
        gain_over_others: nats per token saved against others' adapters; above 0: the first tells people apart better.
        top1_post: share of posts identified; above 0: the first is better. So for the next ones.
        top1_user: share of people identified by their whole tail.
        calibrated_top1_post: as top1_post, calibrated.
        calibrated_top1_user: as top1_user, calibrated.
    """

    own_nats: Estimate
    gain_over_others: Estimate
    top1_post: Estimate
    top1_user: Estimate
    calibrated_top1_post: Estimate
    calibrated_top1_user: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers: every estimate as `{"value", "low", "high"}`."""
        return {name: getattr(self, name)._asdict() for name in self.__slots__}


def individuality_contrast(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> IndividualityContrast:
    """Compare two ways on the posts that both were tested on.

    Args:
        first: people as `metrics.individuality.by_user` gives them.
        second: the same people and posts under other adapters.
        rng: draws resamples of people.
        confidence: of the intervals, in (0, 1).
        resamples: of the bootstrap.

    Returns:
        Differences; no interval with a single person, NaN where either way has no value.

    Raises:
        MetricInputError: when people, posts or tokens differ.

    Source: ours; paired bootstrap as in Efron 1979.
    """
    if not first.index.equals(second.index):
        raise MetricInputError("first, second: expected the same people in the same order")
    for size in ("posts", "tokens"):
        if not np.array_equal(first[size], second[size]):
            raise MetricInputError(f"first, second: {size} differ; expected the same posts of everybody")
    drawn = draw_people(len(first), rng, resamples)
    difference = first - second

    def over(size: pd.Series[float], amounts: pd.Series[float]) -> Estimate:
        return ratio_estimate(amounts, size, drawn, confidence)

    tokens, posts, people = first["tokens"], first["posts"], pd.Series(1.0, index=first.index)
    return IndividualityContrast(
        own_nats=over(tokens, difference["own"]),
        gain_over_others=over(tokens, difference["others"] - difference["own"]),
        top1_post=over(posts, difference["found"]),
        top1_user=over(people, difference["found_tail"]),
        calibrated_top1_post=over(posts, difference["calibrated"]),
        calibrated_top1_user=over(people, difference["calibrated_tail"]),
    )
