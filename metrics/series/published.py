"""Printed results of group opinion against real data, for showing ours beside them.

Source: EvoBot, arXiv 2508.17711, table 5. Data sets: COVID and Russia–Ukraine tweets; neither is public in the
form used, so the rows say what to expect of methods, not what ours should reach on other data. Two figures
cannot be means over steps of |simulated − real| if the columns are means over the same steps: the delta of
diversity of GPT on COVID (.083) is below |.342 − .472| = .130, that of bounded confidence on Russia–Ukraine
(.554) below |.104 − .670| = .566. They stand here as printed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pandas as pd

SOURCE = "EvoBot (arXiv 2508.17711), table 5"

Dataset = Literal["COVID", "Russia–Ukraine"]


class PublishedAgreement(NamedTuple):
    """One printed row.

    Args:
        dataset: which tweets.
        method: as printed, abbreviations written out (their "BC" is bounded confidence).
        bias: mean attitude over time.
        diversity: standard deviation of attitudes over time.
        delta_bias: mean |simulated − real| of the bias; None for the real row.
        delta_diversity: the same of the diversity.
    """

    dataset: Dataset
    method: str
    bias: float
    diversity: float
    delta_bias: float | None
    delta_diversity: float | None


PUBLISHED: tuple[PublishedAgreement, ...] = (
    PublishedAgreement("COVID", "real", -0.017, 0.472, None, None),
    PublishedAgreement("COVID", "bounded confidence", -0.041, 0.389, 0.089, 0.112),
    PublishedAgreement("COVID", "Lorenz", 0.084, 0.725, 0.107, 0.264),
    PublishedAgreement("COVID", "Llama", -0.053, 0.368, 0.098, 0.105),
    PublishedAgreement("COVID", "GPT", 0.032, 0.342, 0.081, 0.083),
    PublishedAgreement("COVID", "EvoBot", 0.010, 0.428, 0.072, 0.052),
    PublishedAgreement("Russia–Ukraine", "real", -0.239, 0.670, None, None),
    PublishedAgreement("Russia–Ukraine", "bounded confidence", -0.304, 0.104, 0.104, 0.554),
    PublishedAgreement("Russia–Ukraine", "Lorenz", -0.811, 0.105, 0.572, 0.565),
    PublishedAgreement("Russia–Ukraine", "Llama", -0.324, 0.405, 0.202, 0.265),
    PublishedAgreement("Russia–Ukraine", "GPT", -0.256, 0.435, 0.135, 0.238),
    PublishedAgreement("Russia–Ukraine", "EvoBot", -0.237, 0.480, 0.101, 0.194),
)
"""Every row as printed."""


def published_frame() -> pd.DataFrame:
    """The printed rows, columns as the fields of `PublishedAgreement`; NaN where nothing is printed."""
    return pd.DataFrame(PUBLISHED)
