"""One entry of the catalogue of measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal[
    "polarization", "communities", "interactions", "attention", "cascades", "activity", "text", "exposure",
    "failures",
]  # fmt: skip

PAPER = "arXiv 2606.02437 tables 6–7"
"""The study whose tables the first measures come from."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One measure.

    Args:
        id: as in the `metric` column of every result.
        label: for tables and plots.
        group: what it is about.
        unit: `stance` (−1 … 1), `share`, `index`, `communities`, `nodes`, `hops`, `steps`, `rows` …
        low: least possible value.
        high: greatest possible value; infinity where there is none.
        higher_means: how a larger value reads.
        definition: how it is counted, in one sentence.
        nan_means: when it has no value.
        source: where the definition comes from.
        ratio: whether "x times as much" makes sense: a quantity that cannot be negative and has a true zero.
    """

    id: str
    label: str
    group: Group
    unit: str
    low: float
    high: float
    higher_means: str
    definition: str
    nan_means: str
    source: str
    ratio: bool
