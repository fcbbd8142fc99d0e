"""`plures graph`: communities, homophily and controversy of any network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from metrics.networks.null_models import NullTest
    from metrics.networks.summary import Progress, Row
    from sim.graph_files import NamedNetwork

_LONG = 50_000
"""Edges from which on a progress bar is worth its line."""


def graph(
    source: Annotated[
        Path, typer.Argument(help="File of edges (CSV, TSV …), or a run directory.", show_default=False)
    ],
    labels: Annotated[
        Path | None,
        typer.Option(help="File of node labels; its first column names the node.", show_default=False),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column of --labels that holds the side.", show_default=False)
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="Column of --labels that holds a number.", show_default=False)
    ] = None,
    directed: Annotated[bool, typer.Option("--directed", help="Edges run from source to target.")] = False,
    weights: Annotated[
        str | None, typer.Option(help="Column of edge weights; else every tie is 1.", show_default=False)
    ] = None,
    relation: Annotated[
        str | None,
        typer.Option(
            help="Of a run: follow, reply, repost or co-engagement. [default: co-engagement]",
            show_default=False,
        ),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="Of a run: which cell. [default: the first finished with language agents]",
            show_default=False,
        ),
    ] = None,
    null: Annotated[int, typer.Option(help="Draws of each null model, for p-values.", min=0)] = 0,
    restarts: Annotated[int, typer.Option(help="Searches of each community method.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 0,
    definitions: Annotated[
        bool, typer.Option("--definitions", help="Say what each measure is, in place of chance.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, definitions included.")] = False,
) -> None:
    """Measure a network: size, communities, and homophily and controversy of its sides.

    Example: plures graph edges.csv --labels sides.csv --null 99
    """
    from metrics.networks.summary import summarise_network
    from sim.numbers import to_json
    from sim.rng import generator

    files_only = {"--labels": labels, "--label": label, "--score": score, "--weights": weights}
    named = _read(source, relation, cell, directed, files_only)
    quick = named.network.m < _LONG and not null
    with _telling(quiet=as_json or quick) as progress:
        rows = summarise_network(
            named.network,
            named.labels,
            rng=generator(seed, "graph"),
            draws=null,
            restarts=restarts,
            progress=progress,
        )
    named = named._replace(notes=(*named.notes, *_left_aside(named, rows)))
    if as_json:
        typer.echo(to_json(_record(named, rows, null, seed)))
        return
    from sim.cli.console import out as screen

    screen.print(_definitions(rows) if definitions else _table(named, rows, null))
    for note in named.notes:
        screen.print(note, markup=False)


def _read(
    source: Path, relation: str | None, cell: str | None, directed: bool, files_only: dict[str, Any]
) -> NamedNetwork:
    from sim.errors import GraphError
    from sim.graph_files import read_network, with_labels
    from sim.run_dir import RunDir
    from sim.run_graphs import read_run_network

    if source.is_dir():
        given = [name for name, value in {**files_only, "--directed": directed or None}.items() if value]
        if given:
            raise GraphError(
                f"{', '.join(given)}: for files of edges only; {source} is a run and knows its own"
            )
        return read_run_network(RunDir.open(source), relation or "co-engagement", cell)
    runs_only = {"--relation": relation, "--cell": cell}
    if given := [name for name, value in runs_only.items() if value is not None]:
        raise GraphError(f"{', '.join(given)}: for run directories only; {source} is no folder")
    named = read_network(source, directed=directed, weights=files_only["--weights"])
    labels = files_only["--labels"]
    if labels is None:
        if files_only["--label"] or files_only["--score"]:
            raise GraphError("--label and --score name columns of a file; give it with --labels FILE")
        return named
    return with_labels(named, labels, side=files_only["--label"], score=files_only["--score"])


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Progress]:
    """A progress bar for each task; none for programs and for what is done at once."""
    if quiet:
        yield lambda _task, _done, _total: None
        return
    from sim.cli.console import progress_bars

    with progress_bars() as bars:
        begun: set[str] = set()

        def progress(task: str, done: int, total: int) -> None:
            if task not in begun:
                bars.begin(task, total)
                begun.add(task)
            bars.advance(task, done)

        yield progress


def _table(named: NamedNetwork, rows: Sequence[Row], null: int) -> Table:
    from rich.table import Table

    from sim.numbers import number

    network = named.network
    kind = "directed" if network.directed else "undirected"
    title = f"{network.n:,} nodes, {network.m:,} {kind} edges"
    table = Table(title=f"{title}; chance from {null} draws" if null else title)
    table.add_column("measure")
    table.add_column("value", justify="right")
    if null:
        for heading in ("labels at random", "p", "wiring at random", "p"):
            table.add_column(heading, justify="right")
    group = rows[0].group
    for row in rows:
        if row.group != group:
            table.add_section()
            group = row.group
        cells = [row.label, number(row.value)]
        if null:
            cells += [*_chance(row.labels_at_random), *_chance(row.wiring_at_random)]
        table.add_row(*cells)
    return table


def _left_aside(named: NamedNetwork, rows: Sequence[Row]) -> list[str]:
    """What a reader has to know of sides beyond the second, and of a measure that would take too long."""
    import pandas as pd

    from metrics.networks.summary import BETWEENNESS_LIMIT

    both = named.labels.two_sides
    if both is None:
        return []
    notes = []
    if pd.Series(named.labels.side).nunique() > 2:
        first, second = pd.Series(both).value_counts().index
        notes.append(f"controversy and boundary: of the two largest sides, {first} and {second}")
    if "betweenness_controversy" not in {row.id for row in rows}:
        notes.append(f"betweenness controversy left out: nodes × edges above {BETWEENNESS_LIMIT:,}")
    return notes


def _chance(test: NullTest | None) -> tuple[str, str]:
    from sim.numbers import number

    if test is None:
        return "", ""
    if not test.valued:
        return "–", "–"
    draws = "" if test.valued == len(test.values) else f" ({test.valued} draws)"
    return f"{number(test.mean)} ± {number(test.std)}{draws}", number(test.p_two_sided)


def _definitions(rows: Sequence[Row]) -> Table:
    from rich.table import Table

    from sim.numbers import number

    table = Table()
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("definition")
    table.add_column("source")
    for row in rows:
        table.add_row(row.label, number(row.value), row.definition, row.source)
    return table


def _record(named: NamedNetwork, rows: Sequence[Row], null: int, seed: int) -> dict[str, Any]:
    return {
        "directed": named.network.directed,
        "notes": list(named.notes),
        "draws": null,
        "seed": seed,
        "measures": [
            {
                "id": row.id,
                "label": row.label,
                "value": row.value,
                "labels_at_random": _test_record(row.labels_at_random),
                "wiring_at_random": _test_record(row.wiring_at_random),
                "definition": row.definition,
                "source": row.source,
            }
            for row in rows
        ],
    }


def _test_record(test: NullTest | None) -> dict[str, float] | None:
    if test is None:
        return None
    return {
        "observed": test.observed,
        "draws_with_value": test.valued,
        "mean": test.mean,
        "std": test.std,
        "p_greater": test.p_greater,
        "p_less": test.p_less,
        "p_two_sided": test.p_two_sided,
    }
