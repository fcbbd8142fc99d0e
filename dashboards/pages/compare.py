"""Compare: what do adapters change, and how sure can one be?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboards.plots.effects import effects_chart
from dashboards.plots.series import BANDS, Band, series_chart
from dashboards.shell import cached, choose, chosen_runs, guarded, page, plain, show_chart, show_table
from metrics.catalogue import CATALOGUE
from metrics.metric import PAPER
from sim.run_dir import RunDir
from sim.views import across, comparison, paired
from sim.views.comparison import Axis, Shown
from sim.views.plotted import Plotted
from sim.views.remarks import remarks

ALL = "all"
"""Of the measures of a group."""
_AXES: dict[Axis, str] = {"step": "step", "N": "N", "seed": "seed"}
_SHOWN: dict[Shown, str] = {"values": "values", "differences": "differences"}

_measured = cached(comparison.measured)
_series = cached(comparison.series)
_compared = cached(paired.compared)
_beside_paper = cached(paired.beside_paper)
_comparable = cached(across.comparable)
_series_across = cached(across.series_across)
_effects_across = cached(across.effects_across)


def render() -> None:
    """Draw the page."""
    with page("Compare", "What do adapters change, and how sure can one be?"):
        runs = chosen_runs()
        said = [
            remark if len(runs) == 1 else f"{name}: {remark}"
            for run, name in zip(runs, across.run_names(runs), strict=True)
            for remark in remarks(run)
        ]
        if said:
            st.warning(plain("\n".join(said)))
        begun = [run for run in runs if comparison.sizes(run)]
        if idle := [run.path.name for run in runs if run not in begun]:
            st.info(
                plain(f"No cell is finished yet in {', '.join(idle)}: there is nothing of it to compare.")
            )
        if len(begun) == 1:
            _one(begun[0])
        elif begun:
            _several(begun)


def _one(run: RunDir) -> None:
    _measures(run)
    compared = _compared(run)
    if compared.empty:
        st.info("There is no finished pair of conditions yet, so there are no differences to show.")
        return
    st.subheader("What changed by the last step")
    _changes(compared)
    beside = _beside_paper(run, compared)
    if len(beside):
        st.subheader("Beside the published study")
        st.caption(
            plain(
                f"LoRA against shared base. Published: Qwen3-4B-Instruct, one seed a cell, no intervals ({PAPER}; base "
                "over LoRA turned round). Ours: with 95% intervals of what is compared, where there are two seeds."
            )
        )
        show_table(beside, "beside-the-published-study")


@st.fragment  # a choice here draws this part alone anew
def _measures(run: RunDir) -> None:
    with guarded():
        metrics, axis, shown, band, size = _controls([run], whole_groups=True)
        plotted = _series(run, metrics, axis, shown, size)
        units = {metric: CATALOGUE[metric].unit for metric in metrics}
        _draw(plotted, "metric", axis, band, units, f"series-{run.path.name}")
        _definitions(metrics)


@st.fragment
def _changes(compared: pd.DataFrame) -> None:
    pairs = {"-".join(map(str, pair)): pair for pair in paired.compared_pairs(compared)}
    chosen = choose(
        "contrast", "Contrast", list(pairs), format=lambda id_: "{} − {}, N = {}".format(*pairs[id_])
    )
    treatment, control, size = pairs[chosen]
    heads = dict(paired.PAIRED_COLUMNS.values())
    table = paired.paired_table(compared, treatment, control, size)
    show_table(table, f"differences-{treatment}-{control}-n{size}", help=heads)
    told = paired.paired_words(compared, treatment, control, size)
    for sentence in told.summary:
        st.caption(plain(sentence))
    if told.notes:
        with st.expander("What is missing or narrow in this table, and why"):
            st.caption(plain("\n".join(told.notes)))
    if ratios := paired.ratios(compared, treatment, control, size):
        ratios.figure.update_layout(title=f"{treatment} as a multiple of {control}, N = {size}", margin_t=80)
        show_chart(ratios.figure, f"ratios-{treatment}-{control}-n{size}", ratios.caption)


def _several(runs: Sequence[RunDir]) -> None:
    judged = _comparable(runs)
    if judged.reasons:
        st.error(plain("Not comparable as they stand.\n" + "\n".join(judged.reasons)))
    st.caption(
        "Conditions of one run are paired by seed. Runs are not paired with each other: hold their differences "
        "against each other, not their levels."
    )
    (metric,), axis, shown, band, size = _controls(runs, whole_groups=False)
    plotted = _series_across(runs, metric, axis, shown, size)
    unit = CATALOGUE[metric].unit
    panels = dict.fromkeys(plotted.frame["panel"], unit)
    _draw(plotted, "panel", axis, band, panels, f"runs-{metric}")
    _definitions([metric])
    effects = _effects_across(runs, metric)
    if len(effects.frame):
        st.subheader("What each run found")
        show_chart(effects_chart(effects, unit), f"effects-{metric}", effects.alt)
        show_table(effects.frame, f"effects-table-{metric}")
    st.subheader("In what the runs differ")
    if len(judged.differences):
        show_table(judged.differences, "differences-between-runs")
    else:
        st.info("In nothing that is on record.")


def _controls(runs: Sequence[RunDir], *, whole_groups: bool) -> tuple[list[str], Axis, Shown, Band, int]:
    groups = _measured(list(runs))
    first, second, third, fourth, fifth, sixth = st.columns([3, 4, 3, 3, 4, 2])
    with first:
        group = choose("group", "Measures of", list(groups), format=str.capitalize)
    with second:
        options = [ALL, *groups[group]] if whole_groups else groups[group]
        metric = choose("measure", "Measure", options, format=_label)
    with third:
        axis = choose("x", "Horizontal axis", list(_AXES), format=_AXES.__getitem__)
    with fourth:
        shown = choose(
            "show",
            "Shown",
            list(_SHOWN),
            format=_SHOWN.__getitem__,
            help="Values of each condition, or differences of conditions within each seed.",
        )
    with fifth:
        band = choose(
            "band",
            "Band",
            list(BANDS),
            format=BANDS.__getitem__,
            help="Student's t over seeds: of two seeds rightly very wide. A band that reaches the edge of its panel "
            "goes on beyond it. Whether two conditions differ is told by the band of their differences.",
        )
    with sixth:
        there = sorted({size for run in runs for size in comparison.sizes(run)})
        size = choose("n", "N", there, default=there[-1])
    return groups[group] if metric == ALL else [metric], axis, shown, band, size


def _draw(plotted: Plotted, panel: str, axis: Axis, band: Band, units: Mapping[str, str], name: str) -> None:
    if len(plotted.frame):
        show_chart(series_chart(plotted, panel, axis, band, units), name, plotted.alt)
    else:
        st.info(plain(plotted.alt))


def _label(metric: str) -> str:
    return "all of them" if metric == ALL else CATALOGUE[metric].label


def _definitions(metrics: Sequence[str]) -> None:
    with st.expander("What these measures are"):
        show_table(comparison.definitions(metrics), "definitions")
