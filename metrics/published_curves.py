"""Printed curves of the scaling study, for showing ours beside them.

Source: arXiv 2606.02437. Other bases and data sets than ours: a comparison of shapes, not of heights.
"""

from __future__ import annotations

from typing import NamedTuple


class PublishedCurve(NamedTuple):
    """What is printed about one curve.

    Args:
        name: with the base that it was measured on.
        x: in the unit of `x_label`.
        y: in the unit of `y_label`.
        x_label: horizontal axis.
        y_label: vertical axis.
        note: what is printed beside the points.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    x_label: str
    y_label: str
    note: str


VOTING = (
    PublishedCurve(
        name="published: variants, Qwen3-30B, AIME24",
        x=(1, 10, 100, 198),
        y=(0.3644, 0.4267, 0.4633, 0.4867),
        x_label="models that vote",
        y_label="accuracy",
        note="majority vote over k of 200 variants, 30 random subsets per k; fit .386 + .0172 ln k, R² .888",
    ),
    PublishedCurve(
        name="published: best of repetition",
        x=(24,),
        y=(0.4378,),
        x_label="models that vote",
        y_label="accuracy",
        note="control: k samples of one model; only the best k is printed",
    ),
)
"""Diversity voting."""

CAPACITY = (
    PublishedCurve(
        name="published: three zones",
        x=(1e-4, 1e-3, 1e-2, 1e-1),
        y=(1.0, 1.0, 0.0, 0.0),
        x_label="memory tokens / trainable parameters",
        y_label="accuracy",
        note="263 runs: accuracy about 1 below 1e-3, falls from 1e-3 to 1e-2, about 0 above; drawn straight between",
    ),
)
"""LoRA memory capacity (DishNameBenchmark)."""

RANK_SWEEP = tuple(
    PublishedCurve(
        name=f"published: {base}, AIME25",
        x=(rank,),
        y=(gain,),
        x_label="rank",
        y_label="normalized gain",
        note="table 2; one rank is printed for each base",
    )
    for base, rank, gain in (("7B", 64.0, 0.1131), ("32B", 8.0, 0.2061))
)
"""Gain over ranks."""

PUBLISHED_CURVES = {"voting": VOTING, "capacity": CAPACITY, "rank_sweep": RANK_SWEEP}
"""Kind of experiment → printed curves."""
