"""`plures validate-series`: a run, classical opinion models and baselines against a real series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def validate_series(
    real: Annotated[
        Path,
        typer.Argument(
            help="CSV or TSV with a header: time, user and stance, or time, approve and disapprove.",
            show_default=False,
        ),
    ],
    run: Annotated[
        Path | None, typer.Option(help="Run directory to hold against the series too.", show_default=False)
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            help="Opinion models, separated by commas; default all, `none` for none.", show_default=False
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of a field, e.g. --column stance=opinion. May be repeated.", show_default=False
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class", help="Stance of a class, e.g. --class against=-1. May be repeated.", show_default=False
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only rows with a value, e.g. --where party=all. May be repeated.", show_default=False
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only rows from this time on.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only rows up to this time.", show_default=False)] = None,
    steps: Annotated[int, typer.Option(help="Steps that the time is cut into.", min=3)] = 40,
    train: Annotated[float, typer.Option(help="Share of the time to learn from.", min=0.0, max=1.0)] = 0.7,
    seed: Annotated[int, typer.Option(help="Of fits and forecasts.", min=0)] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Write a figure, an HTML file.", show_default=False)
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: everything, step by step too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Hold baselines, fitted opinion models and a run against a real series of opinions.

    Example: plures validate-series posts.csv --run runs/quickstart --models bounded_confidence,lorenz
    """
    from contextlib import nullcontext

    from agents.opinion.models import MODELS
    from sim.cli.console import out as screen
    from sim.cli.console import progress_bars
    from sim.cli.series_tables import (
        agreement_table,
        head_line,
        meetings_line,
        prediction_table,
        published_table,
    )
    from sim.numbers import to_json
    from sim.progress import Silent
    from sim.run_dir import RunDir
    from sim.series_figure import check_figure_path, write_figure
    from sim.series_input import read_series
    from sim.series_validation import validate_series as validate

    if plot:
        check_figure_path(plot)
    series = read_series(
        real,
        columns=_pairs("--column", column),
        classes={name: _stance(name, value) for name, value in _pairs("--class", classes).items()},
        where=_pairs("--where", where),
        since=since,
        until=until,
    )
    names = (
        tuple(MODELS)
        if models is None
        else tuple(n.strip() for n in models.split(",") if n.strip() != "none")
    )
    with nullcontext(Silent()) if quiet or as_json else progress_bars() as watcher:
        result = validate(
            series,
            run=RunDir.open(run) if run else None,
            models=names,
            steps=steps,
            train=train,
            seed=seed,
            watcher=watcher,
        )
    if plot:
        write_figure(result, plot)
    if as_json:
        typer.echo(to_json(result.record()))
        return
    screen.print(head_line(result), markup=False)
    screen.print(agreement_table(result))
    if len(result.next_opinion):
        screen.print(prediction_table(result))
    if result.meetings:
        screen.print(meetings_line(result.meetings), markup=False)
    screen.print(published_table())
    if plot:
        screen.print(f"Figure: {plot}", markup=False)


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    from sim.errors import SeriesError

    pairs = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SeriesError(f"{option} {text}: expected NAME=VALUE")
        pairs[name] = value
    return pairs


def _stance(name: str, text: str) -> float:
    from sim.errors import SeriesError

    try:
        return float(text)
    except ValueError as error:
        raise SeriesError(f"--class {name}={text}: expected a number in [-1, 1]") from error
