"""Two conditions against each other, paired by seed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.catalogue import RATIO_METRICS
from metrics.effects import FEWEST, hedges_gz, rank_biserial
from metrics.errors import MetricInputError
from metrics.intervals import (
    NO_INTERVAL,
    RESAMPLES,
    bootstrap_interval,
    sign_flip_p,
    smallest_sign_flip_p,
    t_interval,
)
from metrics.multiplicity import benjamini_hochberg, holm
from metrics.power import seeds_needed
from metrics.rounding import all_equal, differences

VALUE_COLUMNS = ("condition", "n", "seed", "metric", "value")


def paired_differences(
    values: pd.DataFrame,
    treatment: str,
    control: str,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    ratio_metrics: Collection[str] = RATIO_METRICS,
) -> pd.DataFrame:
    """What `treatment` changes against `control`, metric by metric and size by size.

    The cells of one size and seed share everything but the weights, so differences are taken within them.
    The seeds are the sample, and they are few: `low` and `high` are Student's paired interval, which stays
    honest for few seeds; the bootstrap, too narrow for few, stands beside it. Many metrics are compared at
    once: of twenty in truth unchanged, one will leave its 95% interval. `p_holm` and `p_bh` allow for that,
    over all metrics of one size.

    Args:
        values: columns `condition`, `n` (population size), `seed`, `metric`, `value`; one row for each.
        treatment: a condition.
        control: another.
        rng: draws bootstrap resamples, and signs beyond 16 seeds.
        confidence: of all intervals, in (0, 1).
        resamples: of the bootstrap.
        ratio_metrics: metrics of which a ratio makes sense.

    Returns:
        One row for each `n` and `metric` (sizes rising, metrics in order of appearance), columns:
        `n`, `metric`; `n_seeds` (pairs used); `n_missing` (seeds that drop out because either value is NaN or
        the cell is missing); `treatment`, `control` (means over the pairs used); `difference` with `low`,
        `high` (t) and `bootstrap_low`, `bootstrap_high`: above 0 means more under the treatment, 0 the
        same; `ratio` with `ratio_low`, `ratio_high` (geometric mean and t interval of logarithms: 1 the
        same, 2 twice as much; NaN unless all values are above 0 and the metric is in `ratio_metrics`);
        `p_value` (sign flips) with `p_smallest` that so many seeds could give; `p_holm` and `p_bh`, adjusted
        within the size (metrics that no seed changed are no tests and count for nothing); `effect_size`
        (Hedges' g of paired changes) and `rank_effect` (rank-biserial), both above 0 for more under the
        treatment; `seeds_needed` to find that effect size in four of five such experiments; `note` in words.
        One seed gives differences without interval or p-value, two no effect size, so no `seeds_needed`; none
        gives NaN throughout.

    Raises:
        MetricInputError: a missing column, an unknown condition, treatment equal to control, or two rows for
            one condition, size, seed and metric.

    Source: ours. The paper (arXiv 2606.02437) ran one seed and gives no intervals.
    """
    chosen = _chosen(values, treatment, control)
    measured = set(zip(chosen["n"], chosen["metric"], chosen["condition"], strict=True))
    rows = []
    for (n, metric), pairs in _pairs(chosen, treatment, control):
        both = pairs.dropna()
        row: dict[str, object] = {"n": n, "metric": metric}
        row |= {"n_seeds": len(both), "n_missing": len(pairs) - len(both)}
        treated, untreated = both[treatment].to_numpy(), both[control].to_numpy()
        row |= _difference(treated, untreated, rng, confidence, resamples)
        row |= _ratio(treated, untreated, confidence, wanted=metric in ratio_metrics)
        unmeasured = [c for c in (treatment, control) if (n, metric, c) not in measured]
        row["note"] = _note(differences(treated, untreated), pairs, unmeasured)
        rows.append(row)
    table = pd.DataFrame(rows, columns=_RESULT_COLUMNS)
    moved = (table["difference"] != 0) | (table["low"] != table["high"])  # else there is nothing to test
    of_size = table["p_value"].where(moved).groupby(table["n"])
    return table.assign(p_holm=of_size.transform(holm), p_bh=of_size.transform(benjamini_hochberg))


_RESULT_COLUMNS = [
    "n", "metric", "n_seeds", "n_missing", "treatment", "control",
    "difference", "low", "high", "bootstrap_low", "bootstrap_high",
    "ratio", "ratio_low", "ratio_high", "p_value", "p_smallest", "p_holm", "p_bh",
    "effect_size", "rank_effect", "seeds_needed", "note",
]  # fmt: skip


def _chosen(values: pd.DataFrame, treatment: str, control: str) -> pd.DataFrame:
    """The rows of the two conditions, checked."""
    if missing := [c for c in VALUE_COLUMNS if c not in values.columns]:
        raise MetricInputError(f"values: no column {', '.join(missing)}; expected {', '.join(VALUE_COLUMNS)}")
    known = sorted(values["condition"].unique())
    for name in (treatment, control):
        if name not in known:
            raise MetricInputError(f"condition {name!r}: no values; there are {', '.join(known) or 'none'}")
    if treatment == control:
        raise MetricInputError(f"treatment and control are both {control!r}; name two different conditions")
    chosen = values[values["condition"].isin([treatment, control])]
    twice = chosen.duplicated(["n", "metric", "seed", "condition"])
    if twice.any():
        row = chosen[twice].iloc[0]
        raise MetricInputError(
            f"values: more than one {row['metric']} for condition {row['condition']}, n {row['n']}, "
            f"seed {row['seed']}; pass one step only, such as the final one"
        )
    return chosen


def _pairs(
    chosen: pd.DataFrame, treatment: str, control: str
) -> Iterator[tuple[tuple[int, str], pd.DataFrame]]:
    """Each size and metric with its values [seeds × 2]; sizes rising, metrics in order of appearance."""
    rank = {metric: place for place, metric in enumerate(chosen["metric"].unique())}
    by_cell = chosen.set_index(["n", "metric", "seed", "condition"])["value"]
    wide = by_cell.unstack().reindex(columns=[treatment, control])  # noqa: PD010 - nothing to average
    groups: dict[Any, pd.DataFrame] = dict(iter(wide.groupby(level=["n", "metric"])))
    yield from sorted(groups.items(), key=lambda item: (item[0][0], rank[item[0][1]]))


def _difference(
    treated: NDArray[np.float64],
    untreated: NDArray[np.float64],
    rng: np.random.Generator,
    confidence: float,
    resamples: int,
) -> dict[str, object]:
    change = differences(treated, untreated)
    n = len(change)
    student = t_interval(change, confidence)
    boot = bootstrap_interval(change, rng=rng, confidence=confidence, resamples=resamples)
    effect = hedges_gz(change)
    return {
        "treatment": float(treated.mean()) if n else float("nan"),
        "control": float(untreated.mean()) if n else float("nan"),
        "difference": float(change.mean()) if n else float("nan"),
        "low": student.low,
        "high": student.high,
        "bootstrap_low": boot.low,
        "bootstrap_high": boot.high,
        "p_value": sign_flip_p(change, rng=rng, resamples=resamples),
        "p_smallest": smallest_sign_flip_p(n, resamples=resamples),
        "effect_size": effect,
        "rank_effect": rank_biserial(change) if n >= FEWEST else float("nan"),
        "seeds_needed": seeds_needed(effect),
    }


def _ratio(
    treated: NDArray[np.float64], untreated: NDArray[np.float64], confidence: float, *, wanted: bool
) -> dict[str, object]:
    if not (wanted and len(treated) and (treated > 0).all() and (untreated > 0).all()):
        return dict.fromkeys(("ratio", "ratio_low", "ratio_high"), float("nan"))
    logs = np.log(treated / untreated)
    interval = t_interval(logs, confidence) if len(logs) > 1 else NO_INTERVAL
    low, high = np.exp(interval)
    return {"ratio": float(np.exp(logs.mean())), "ratio_low": float(low), "ratio_high": float(high)}


def _note(change: NDArray[np.float64], pairs: pd.DataFrame, unmeasured: list[str]) -> str:
    """What to mind about a row; `pairs` are the values [seeds × 2], of which some may be missing."""
    notes = []
    if len(change) == 0:
        without = [str(name) for name, values in pairs.items() if values.isna().all()]
        if unmeasured:
            notes.append(f"not measured under {' or '.join(unmeasured)}")
        else:
            notes.append(f"no value under {' or '.join(without)}" if without else "no pair of values")
    elif len(change) == 1:
        notes.append("one seed: no interval")
    elif len(change) == 2:
        notes.append("two seeds: no effect size, and the bootstrap interval is just their range")
    if len(change) > 1 and all_equal(change):
        notes.append("all differences equal: the interval has no width")
    if len(change) and (missing := len(pairs) - len(change)):
        notes.append(f"{missing} seed{'s' if missing > 1 else ''} without a pair of values")
    return "; ".join(notes)
