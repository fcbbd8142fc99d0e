"""The printed results of the user-simulation study, for showing ours beside them.

Source: arXiv 2606.02437 tables 6–7. One seed a cell, Qwen3-4B-Instruct, no intervals printed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pandas as pd

SIZES = (128, 256, 512)

Kind = Literal["lora", "ratio", "difference", "inverse_ratio"]


class PublishedRow(NamedTuple):
    """One printed row.

    Args:
        metric: id of our catalogue (the positive side is `supportive`, the negative `skeptical`).
        kind: `lora` the LoRA condition's value; `ratio` LoRA over base; `difference` LoRA minus base;
            `inverse_ratio` base over LoRA, as printed for the top-10% share.
        values: for 128, 256 and 512 users.
    """

    metric: str
    kind: Kind
    values: tuple[float, float, float]


PUBLISHED: tuple[PublishedRow, ...] = (
    PublishedRow("polarization_distance", "lora", (0.388, 0.335, 0.319)),
    PublishedRow("stance_std_positive", "lora", (0.340, 0.346, 0.357)),
    PublishedRow("stance_std_positive", "ratio", (2.28, 2.18, 2.45)),
    PublishedRow("stance_std_negative", "lora", (0.416, 0.339, 0.393)),
    PublishedRow("stance_std_negative", "ratio", (2.01, 1.32, 1.57)),
    PublishedRow("effective_communities", "lora", (9.21, 11.77, 14.85)),
    PublishedRow("effective_communities", "ratio", (1.48, 2.19, 1.47)),
    PublishedRow("co_engagement_modularity", "lora", (0.502, 0.561, 0.716)),
    PublishedRow("co_engagement_modularity", "ratio", (1.20, 0.95, 1.20)),
    PublishedRow("community_side_homophily", "lora", (0.670, 0.644, 0.583)),
    PublishedRow("community_side_homophily", "difference", (-0.089, -0.193, -0.197)),
    PublishedRow("like_gini", "lora", (0.913, 0.866, 0.884)),
    PublishedRow("like_top_decile_share", "lora", (0.859, 0.731, 0.781)),
    PublishedRow("like_top_decile_share", "inverse_ratio", (1.16, 1.37, 1.28)),
    PublishedRow("comments", "difference", (70.0, 247.0, 493.0)),
    PublishedRow("original_posts", "difference", (139.0, 153.0, 306.0)),
)
"""Every row as printed."""

CROSS_SIDE_EXPOSURE = (0.16, 0.18)
"""Least and greatest prompt-level cross-side exposure over all published cells."""


def published_frame() -> pd.DataFrame:
    """The printed numbers in our terms, base over LoRA turned round.

    Returns:
        Columns `metric`, `n` (users), `lora`, `difference`, `ratio` (LoRA against base); NaN where nothing
        is printed. Rows in printed order, sizes rising.
    """
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for metric, kind, values in PUBLISHED:
        for n, value in zip(SIZES, values, strict=True):
            cell = rows.setdefault((metric, n), {})
            cell["ratio" if kind == "inverse_ratio" else kind] = (
                1.0 / value if kind == "inverse_ratio" else value
            )
    records = [{"metric": metric, "n": n, **cell} for (metric, n), cell in rows.items()]
    return pd.DataFrame(records, columns=["metric", "n", "lora", "difference", "ratio"])
