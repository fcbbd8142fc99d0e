"""Stance in bands: equal parts of [−1, 1], who stands in which, and who went where between two steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError

BANDS = 5
"""An odd number keeps the neutral together."""
NO_BAND = -1
"""Of a user who has shown no stance yet."""


def band_edges(bands: int = BANDS) -> NDArray[np.float64]:
    """Ends of the bands, [bands + 1], rising from −1 to 1."""
    return np.linspace(-1.0, 1.0, _checked(bands) + 1)


def band_of(stance: pd.Series[float], bands: int = BANDS) -> pd.Series[int]:
    """The band of each stance, counted from the negative end.

    A stance on an edge belongs to the band above it, 1 to the highest.

    Args:
        stance: in [−1, 1]; NaN where none was shown.
        bands: at least 2.

    Returns:
        On the index of `stance`: 0 … bands − 1, or `NO_BAND`.

    Raises:
        MetricInputError: a stance beyond [−1, 1], or fewer than two bands.

    Source: ours; the five parts of `metrics.bipolarity.esteban_ray_polarization`.
    """
    if not stance.dropna().between(-1.0, 1.0).all():
        raise MetricInputError("stance: expected numbers in [−1, 1]")
    place = ((stance + 1.0) * (_checked(bands) / 2.0)).clip(upper=bands - 1)
    return place.fillna(NO_BAND).astype("int64")


def band_shares(stance: pd.DataFrame, by: Sequence[str], bands: int = BANDS) -> pd.DataFrame:
    """How many users of each group stand in each band.

    Args:
        stance: columns `stance` and those of `by`; a user (of a seed) at most once a group.
        by: columns that make a group, such as condition, side and step.
        bands: at least 2.

    Returns:
        One row for each group with a stance and each band, empty bands included: `by`, `band`, `users`,
        `share` ∈ [0, 1] of the group's users with a stance; shares of a group add up to 1.

    Raises:
        MetricInputError: as `band_of`.
    """
    known = stance.dropna(subset="stance")
    counted = known[list(by)].assign(band=band_of(known["stance"], bands)).value_counts()
    counts = counted.rename("users").reset_index()
    groups = counts[list(by)].drop_duplicates().merge(pd.DataFrame({"band": range(bands)}), how="cross")
    table = groups.merge(counts, on=[*by, "band"], how="left").fillna({"users": 0})
    table = table.astype({"users": "int64"}).sort_values([*by, "band"], ignore_index=True)
    return table.assign(share=table["users"] / table.groupby(list(by))["users"].transform("sum"))


def band_flows(stance: pd.DataFrame, steps: Sequence[int], bands: int = BANDS) -> pd.DataFrame:
    """How many users went from which band to which, from each of the steps to the next of them.

    Args:
        stance: `step, user_id, stance`, one row for each user at each of `steps`; NaN while a user showed none.
        steps: at least two, rising.
        bands: at least 2.

    Returns:
        Columns `step`, `to_step`, `band`, `to_band` (`NO_BAND` for users without a stance), `users` > 0. Those
        who leave a band at a step are as many as had come to it, and all flows of a step are all users.

    Raises:
        MetricInputError: steps that do not rise, a user twice in a step or missing from one, or as `band_of`.
    """
    if len(steps) < 2 or list(steps) != sorted(set(steps)):
        raise MetricInputError(f"steps: got {list(steps)}; expected at least two, rising")
    rows = stance[stance["step"].isin(list(steps))]
    if rows.duplicated(["step", "user_id"]).any():
        raise MetricInputError("stance: a user occurs twice at a step; keep one row")
    band = rows.assign(band=band_of(rows["stance"], bands)).set_index(["user_id", "step"])["band"]
    wide = band.unstack().reindex(columns=list(steps))  # noqa: PD010 - nothing to average
    if wide.isna().any(axis=None):
        raise MetricInputError("stance: a user is missing at a step; expected one row a user and step")
    parts = []
    for before, after in pairwise(steps):
        moved = pd.DataFrame({"band": wide[before], "to_band": wide[after]}).astype("int64")
        counts = moved.value_counts(sort=False).rename("users").reset_index()
        parts.append(counts.assign(step=before, to_step=after))
    return pd.concat(parts, ignore_index=True)[["step", "to_step", "band", "to_band", "users"]]


def _checked(bands: int) -> int:
    if bands < 2:
        raise MetricInputError(f"bands: got {bands}; expected at least 2 parts of [−1, 1]")
    return bands
