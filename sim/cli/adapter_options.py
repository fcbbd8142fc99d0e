"""What the commands on adapters have in common: where the store is, how a revision is named, how output looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STORE = Path("runs/store")
ID_DIGITS = 12
"""Of a revision id on the screen."""

StoreFolder = Annotated[
    Path, typer.Option("--store", help="Folder of the adapter store.", envvar="PLURES_STORE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reference = Annotated[
    str,
    typer.Argument(help="Name, tag, NAME@DIGITS, revision id, or its first 8 digits.", show_default=False),
]


def print_json(value: object) -> None:
    """Print plain values as JSON on standard output."""
    typer.echo(json.dumps(value, indent=2))


def print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of texts under headings; no headings when all are empty."""
    from rich.table import Table
    from rich.text import Text

    from sim.cli.console import out

    table = Table(box=None, pad_edge=False, show_header=any(headings))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)


def day_time(at: str) -> str:
    """An ISO 8601 time as people read it, to the second."""
    return at[:19].replace("T", " ")
