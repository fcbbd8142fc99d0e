"""The tables of the report, as rows of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from agents.opinion.models import OPINION_CONDITIONS
from metrics.catalogue import CATALOGUE
from metrics.heavy_tail import PowerLawFit
from metrics.published import CROSS_SIDE_EXPOSURE, published_frame
from sim.comparison import CONTRAST_COLUMNS
from sim.numbers import interval, number, seeds

Row = dict[str, str]

QUANTITIES: Mapping[str, tuple[str, str, str]] = {
    "lora": ("treatment", "", ""),
    "difference": ("difference", "low", "high"),
    "ratio": ("ratio", "ratio_low", "ratio_high"),
}
"""Column of `published_frame` → our column with the ends of its interval."""
QUANTITY_NAMES: Mapping[str, str] = {"lora": "lora", "difference": "lora − base", "ratio": "lora / base"}
"""The same columns as tables name them."""


def shared(conditions: Sequence[str]) -> str:
    """What the conditions of a run have in common and what they differ in, in sentences."""
    models = [c for c in conditions if c in OPINION_CONDITIONS]
    agents = [c for c in conditions if c not in OPINION_CONDITIONS]
    sentences = []
    if agents:
        who = "Conditions" if not models else f"Conditions with language agents ({', '.join(agents)})"
        sentences.append(
            f"{who} share people, prompts, follow graph, activation, feed policy, seed posts and decoding seeds; "
            "only weights differ."
        )
    if models:
        sentences.append(
            f"Opinion models ({', '.join(models)}) share people, follow graph, activation and the stances of the "
            "seed posts, but nobody reads or writes: against them the whole agent differs, not only weights, and "
            "only measures of stance can be compared."
        )
    return " ".join(sentences)


class Contrast(NamedTuple):
    """One pair of conditions at one size, ready to print.

    Args:
        treatment: condition.
        control: condition.
        n: agents.
        groups: heading → rows of measures that have a value.
        notes: remark → labels of the measures it is about.
        least: in a sentence, the least p-values that so many seeds could give; empty without any test.
    """

    treatment: str
    control: str
    n: str
    groups: Mapping[str, list[Row]]
    notes: Mapping[str, list[str]]
    least: str


def contrasts(compared: pd.DataFrame) -> list[Contrast]:
    """One table for each pair of conditions and size, in the order of `compare_run`."""
    tables = []
    for keys, rows in compared.groupby([*CONTRAST_COLUMNS, "n"], sort=False):
        treatment, control, n = map(str, keys)
        valued = rows[rows["n_seeds"] > 0]
        groups: dict[str, list[Row]] = {}
        for row in valued.to_dict("records"):
            groups.setdefault(CATALOGUE[row["metric"]].group, []).append(_measure_row(row))
        tables.append(Contrast(treatment, control, n, groups, _notes(rows), _least(valued)))
    return tables


class Beside(NamedTuple):
    """The paper's tables with ours beside them.

    Args:
        columns: N → `paper`, `ours` or both, as there are numbers; sizes rising.
        rows: `label`, `quantity`, then `N paper` and `N ours` for those columns.
    """

    columns: Mapping[int, list[str]]
    rows: Sequence[Row]


def published(compared: pd.DataFrame) -> Beside:
    """The paper's rows and ours of the contrast LoRA against the shared base; nothing without that contrast."""
    pair = compared[CONTRAST_COLUMNS].eq(["lora", "shared_base"]).all(axis=1)
    if not pair.any():
        return Beside({}, [])
    ours, theirs = compared[pair].set_index(["metric", "n"]), published_frame().set_index(["metric", "n"])
    at = {"paper": set(theirs.index.get_level_values("n")), "ours": set(ours.index.get_level_values("n"))}
    columns = {n: [who for who, sizes in at.items() if n in sizes] for n in sorted(set.union(*at.values()))}
    rows = []
    for metric in theirs.index.get_level_values("metric").unique():
        for quantity, (value, *ends) in QUANTITIES.items():
            printed = theirs.loc[metric, quantity]
            if printed.notna().any():
                row = {"label": CATALOGUE[metric].label, "quantity": QUANTITY_NAMES[quantity]}
                for n in at["paper"]:
                    row[f"{n} paper"] = number(printed.get(n), signed=quantity == "difference")
                for n in at["ours"]:
                    row[f"{n} ours"] = _ours(ours, (metric, n), value, *ends)
                rows.append(row)
    shown = {"label": CATALOGUE[_EXPOSURE].label, "quantity": QUANTITY_NAMES["lora"]}
    shown |= {f"{n} paper": "{} to {}".format(*map(number, CROSS_SIDE_EXPOSURE)) for n in at["paper"]}
    shown |= {f"{n} ours": _ours(ours, (_EXPOSURE, n), "treatment", "", "") for n in at["ours"]}
    return Beside(columns, [*rows, shown])


_EXPOSURE = "cross_side_exposure"


def tails(fits: Mapping[str, PowerLawFit]) -> list[Row]:
    """Power-law fits of engagement, one row a condition."""
    return [
        {
            "condition": condition,
            "n": str(fit.n),
            "n_tail": str(fit.n_tail) if not fit.reason else "–",
            "alpha": number(fit.alpha),
            "xmin": str(fit.xmin) if not fit.reason else "–",
            "p": number(fit.p_value),
            "ratio": number(fit.ratio, signed=True),
            "ratio_p": number(fit.ratio_p),
            "reading": _reading(fit),
        }
        for condition, fit in fits.items()
    ]


def _reading(fit: PowerLawFit) -> str:
    if fit.reason:
        return f"not fitted: {fit.reason}"
    law = "no power law" if fit.p_value <= 0.1 else "a power law is possible"
    if fit.ratio_p > 0.1:
        return f"{law}; a log-normal is as likely"
    return f"{law}; a log-normal is {'less' if fit.ratio > 0 else 'more'} likely"


def _measure_row(row: dict[Any, Any]) -> Row:
    metric = CATALOGUE[row["metric"]]
    return {
        "label": metric.label,
        "definition": metric.definition,
        "treatment": number(row["treatment"]),
        "control": number(row["control"]),
        "difference": number(row["difference"], signed=True),
        "interval": interval(row["low"], row["high"]),
        "ratio": number(row["ratio"]),
        "ratio_interval": interval(row["ratio_low"], row["ratio_high"]),
        "p": number(row["p_value"]),
        "p_holm": number(row["p_holm"]),
        "p_bh": number(row["p_bh"]),
        "effect": number(row["effect_size"], signed=True),
        "seeds": str(row["n_seeds"]),
        "needed": seeds(row["seeds_needed"]),
        "sure": "yes" if row["low"] > 0 or row["high"] < 0 else "",
    }


def _notes(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Each remark once, with what it is about: measures, those with NaN with the reason, or whole groups."""
    first = str(rows["note"].iloc[0])
    if first and (rows["note"] == first).all() and not first.startswith(_NO_VALUE):
        return {first: ["all measures"]}
    noted = rows.assign(group=[CATALOGUE[metric].group for metric in rows["metric"]])
    whole = noted.groupby("group")["note"].transform(
        lambda notes: len(notes) > 1 and (notes == notes.iloc[0]).all()
    )
    notes: dict[str, dict[str, None]] = {}
    for row, alike in zip(noted.to_dict("records"), whole, strict=True):
        if row["note"]:
            metric = CATALOGUE[row["metric"]]
            reason = f" ({metric.nan_means})" if row["note"].startswith(_NO_VALUE) else ""
            label = f"all of {metric.group}" if alike and not reason else metric.label + reason
            notes.setdefault(row["note"], {})[label] = None
    return {note: list(labels) for note, labels in notes.items()}


_NO_VALUE = "no value"  # as notes of `paired_differences` begin where a measure was taken and came out as NaN


def _least(rows: pd.DataFrame) -> str:
    """What the sign-flip test could say at best, before and after Holm's adjustment."""
    tests = int(rows["p_holm"].notna().sum())
    if not tests:
        return ""
    least, most_seeds = float(rows["p_smallest"].min()), int(rows["n_seeds"].max())
    return (
        f"With {most_seeds} seeds no p can be below {number(least)}, and over the {tests} measures that any seed "
        f"changed none of Holm's below {number(min(1.0, least * tests))}."
    )


def _ours(ours: pd.DataFrame, key: tuple[str, int], value: str, low: str, high: str) -> str:
    if key not in ours.index:
        return "–"
    (row,) = ours.loc[[key]].to_dict("records")
    shown = number(row[value], signed=value == "difference")
    return shown if not low or pd.isna(row[low]) else f"{shown} {interval(row[low], row[high])}"


def outcomes(summaries: Sequence[tuple[str, pd.DataFrame]]) -> list[Row]:
    """What came of every request, by condition.

    Args:
        summaries: condition and `metrics.failures.failure_summary` of its ledgers.
    """
    return [
        {"condition": condition, "outcome": r["value"], "count": str(r["count"]), "rate": f"{r['rate']:.2%}"}
        for condition, summary in summaries
        for r in summary[summary["field"] == "outcome"].to_dict("records")
    ]
