"""A validation against a real series as tables for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from metrics.series.published import PUBLISHED, SOURCE
from sim.series_forecasts import Meetings
from sim.series_validation import Validation

_AGREEMENT = {
    "bias": "bias",
    "diversity": "diversity",
    "delta_bias": "Δbias",
    "delta_diversity": "Δdiversity",
    "dtw_bias": "DTW bias",
    "dtw_diversity": "DTW div.",
    "pearson_bias": "r bias",
    "pearson_diversity": "r div.",
}


def head_line(result: Validation) -> str:
    """What was read and where it was cut."""
    panel = result.panel
    who = "a group of which shares are known" if panel.people is None else f"{panel.people.shape[1]} people"
    return (
        f"{result.source}: {who}; {panel.cut} of {len(panel.times) - 1} steps to learn from, judged on the other "
        f"{panel.test_steps}. Diversity is the standard deviation."
    )


def agreement_table(result: Validation) -> Table:
    """Every method on the same steps."""
    table = _table(
        "Group opinion after the cut, means over steps", 1, ["method", *_AGREEMENT.values(), "runs"]
    )
    for row in result.table.to_dict("records"):
        table.add_row(row["method"], *(_fixed(row[field]) for field in _AGREEMENT), str(row["runs"]))
    return table


def prediction_table(result: Validation) -> Table:
    """What people state next."""
    title = f"What a person states next: {result.next_opinion['n'].iloc[0]} statements after the cut"
    table = _table(title, 1, ["method", "accuracy", "macro-F1", "MAE"])
    for row in result.next_opinion.to_dict("records"):
        table.add_row(row["method"], *(_fixed(row[field]) for field in ("accuracy", "macro_f1", "mae")))
    return table


def meetings_line(meetings: Meetings) -> str:
    """The rule behind a series in which everybody speaks at every time."""
    best, other = meetings.fits[0], meetings.fits[1]
    return (
        f"Meetings: exponent {best.model.exponent:.2f} [{best.exponent_low:.2f}, {best.exponent_high:.2f}], rate "
        f"{best.model.rate:.3f}, pull {best.model.pull} (log-likelihood {best.log_likelihood:.2f} per meeting; "
        f"{other.model.pull}: {other.log_likelihood:.2f}). Simulated from the start: {meetings.regime}, spread "
        f"{meetings.spread:.3f}; real: {meetings.real_regime}, {meetings.real_spread:.3f}."
    )


def published_table() -> Table:
    """EvoBot's rows."""
    names = ["data", "method", "bias", "diversity", "Δbias", "Δdiversity"]
    table = _table(f"Printed elsewhere, on other data: {SOURCE}", 2, names)
    for row in PUBLISHED:
        values = (row.bias, row.diversity, row.delta_bias, row.delta_diversity)
        table.add_row(row.dataset, row.method, *map(_fixed, values))
    return table


def _table(title: str, words: int, names: Sequence[str]) -> Table:
    """A table whose first `words` columns are words and whose others are numbers."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if place < words else "right", no_wrap=place < words)
    return table


def _fixed(value: float | None) -> str:
    """Three decimals, as the printed tables have them; a dash where there is no value."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"
