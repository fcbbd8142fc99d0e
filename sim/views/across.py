"""Several runs beside each other: whether they can be compared, the same measure in each, and what each found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from metrics.catalogue import CATALOGUE
from sim.numbers import interval, number
from sim.run_dir import RunDir
from sim.views.comparison import CONFIDENCE, NOTHING, Axis, Shown, line_words, series, sizes
from sim.views.paired import compared
from sim.views.plotted import Plotted

_UNTOLD = {"name", "description", "base"}
"""Keys of a scenario that say nothing, or say less than the manifest does."""


class Comparable(NamedTuple):
    """Whether numbers of different runs may be held against each other.

    Args:
        reasons: why not, in sentences; empty when nothing speaks against it.
        differences: `what`, then one column a run: everything in which the runs differ, as text.
    """

    reasons: list[str]
    differences: pd.DataFrame


def run_names(runs: Sequence[RunDir]) -> list[str]:
    """Folder names, with as many of their parents as it takes to tell them apart."""
    parts = [run.path.resolve().parts for run in runs]
    deepest = max(map(len, parts))
    for kept in range(1, deepest + 1):
        names = ["/".join(part[-kept:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def comparable(runs: Sequence[RunDir]) -> Comparable:
    """What keeps runs from being compared, and all that differs between them.

    Conditions of one run are paired: same people, graph, schedule and seeds. Across runs nothing is, so differences
    between runs have no paired interval, whatever this says.

    Args:
        runs: at least one.
    """
    facts = [_facts(run) for run in runs]
    keys = list(dict.fromkeys(key for fact in facts for key in fact))
    differing = [key for key in keys if len({fact.get(key, "–") for fact in facts}) > 1]
    reasons = []
    for start, sentence in _REASONS.items():
        if found := [key for key in differing if key == start or key.startswith((f"{start} ", f"{start}."))]:
            shown = "; ".join(
                f"{key} {' against '.join(dict.fromkeys(f.get(key, '–') for f in facts))}" for key in found
            )
            reasons.append(f"{sentence} ({shown})")
    table = pd.DataFrame(
        [[key, *(fact.get(key, "–") for fact in facts)] for key in differing],
        columns=["what", *run_names(runs)],
    )
    return Comparable(reasons, table)


_REASONS: Mapping[str, str] = {
    "base": "Other base: whatever differs may be the model's doing",
    "corpus": "Other corpus: other people and other training posts",
    "sides": "Other sides: polarization is measured between other groups",
    "stance": "Other stance scorer or weights: stance is not on the same scale",
    "simulation.steps": "Other numbers of steps: last values are of different moments",
    "versions": "Other versions: one number rounded differently is enough to part two runs",
}


def series_across(runs: Sequence[RunDir], metric: str, axis: Axis, shown: Shown, size: int) -> Plotted:
    """One measure in several runs.

    Args:
        runs: with finished cells.
        metric: id of the catalogue.
        axis: as in `series`.
        shown: as in `series`.
        size: of the population; a run without it is shown at its largest finished one.

    Returns:
        Columns as `series` with `panel` (a condition, or two) in front and the run as `line`.
    """
    parts = []
    for run, name in zip(runs, run_names(runs), strict=True):
        there = sizes(run)
        of = size if size in there else there[-1]
        label = name if axis == "N" else f"{name}, N = {of}"
        frame = series(run, [metric], axis, shown, of).frame
        parts.append(frame.rename(columns={"line": "panel"}).assign(line=label))
    frame = pd.concat(parts, ignore_index=True)
    said = [
        f"{panel}: "
        + "; ".join(
            line_words(str(line), of, axis, brief=False) for line, of in rows.groupby("line", sort=False)
        )
        for panel, rows in frame.groupby("panel", sort=False)
    ]
    over = {
        "step": "over steps",
        "N": "at the last step over population sizes",
        "seed": "at the last step, by seed",
    }
    change = "" if shown == "values" else ", paired differences"
    title = f"{CATALOGUE[metric].label} {over[axis]} in {len(runs)} runs{change}"
    return Plotted(frame, title, f"{'. '.join(said)}. Brackets: {CONFIDENCE}." if said else NOTHING)


EFFECT_COLUMNS = [
    "run", "contrast", "n", "n_seeds", "treatment", "control", "difference", "low", "high", "ratio", "ratio_low",
    "ratio_high", "note",
]  # fmt: skip


def effects_across(runs: Sequence[RunDir], metric: str) -> Plotted:
    """What each run's contrasts find for one measure at the last step.

    Returns:
        `EFFECT_COLUMNS`: `contrast` as `treatment − control`, then columns of `sim.comparison.compare_run`; one row
        for each run, contrast and size that has a value.
    """
    parts = []
    for run, name in zip(runs, run_names(runs), strict=True):
        table = compared(run)
        rows = table[(table["metric"] == metric) & (table["n_seeds"] > 0)] if len(table) else table
        contrast = rows["treatment_condition"] + " − " + rows["control_condition"]
        parts.append(rows.assign(run=name, contrast=contrast))
    found = [part for part in parts if len(part)]
    frame = (
        pd.concat(found, ignore_index=True)[EFFECT_COLUMNS] if found else pd.DataFrame(columns=EFFECT_COLUMNS)
    )
    said = [
        f"{row['run']}, {row['contrast']}, N = {row['n']}: {number(row['difference'], signed=True)} "
        f"{interval(row['low'], row['high'])}"
        for row in frame.to_dict("records")
    ]
    title = f"{CATALOGUE[metric].label}: paired difference at the last step in each run, with 95% intervals over seeds"
    return Plotted(
        frame, title, f"{'; '.join(said)}." if said else "No run has a finished pair of cells yet."
    )


def _facts(run: RunDir) -> dict[str, str]:
    manifest = run.manifest
    base, corpus = manifest["base"], manifest["corpus"]
    facts = {
        "base": f"{base['name']} {base['fingerprint'][:12]}".strip(),
        "corpus": f"{corpus.get('name', '')} {corpus.get('sha256', '')[:12]}".strip(),
        "sides": " / ".join(manifest["sides"]),
    }
    facts |= {f"versions {package}": str(version) for package, version in manifest["versions"].items()}
    asked = {key: value for key, value in manifest["scenario"].items() if key not in _UNTOLD}
    return facts | dict(_leaves(asked))


def _leaves(value: Any, key: str = "") -> list[tuple[str, str]]:
    """Dotted key and text of every value in nested mappings."""
    if isinstance(value, Mapping):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, f"{key}.{name}".lstrip("."))]
    return [(key, ", ".join(map(str, value)) if isinstance(value, list) else str(value))]
