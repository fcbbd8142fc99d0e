"""`plures study`: the published study's tables with a run beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table


def study(
    folder: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: rows and controls.")] = False,
) -> None:
    """Show tables 6 and 7 of arXiv 2606.02437 with a run beside them: what replicates, and what the controls say.

    Example: plures study runs/people-smollm2
    """
    from sim.numbers import to_json
    from sim.run_dir import RunDir
    from sim.study import beside_the_study, control_rows, study_rows

    run = RunDir.open(folder)
    found = beside_the_study(run)
    if as_json:
        tables = {"rows": found.rows.to_dict("records"), "against": found.against.to_dict("records")}
        typer.echo(to_json({"state": run.state, **tables}))
        return
    from sim.cli.console import out as screen
    from sim.cli.tables import headline

    screen.print(headline(run), markup=False)
    for n in map(int, found.rows["n"].unique()):
        caption = "Paper: one seed, N = 128 / 256 / 512. Ours: 95% intervals over seeds, Student's t."
        screen.print(_table(f"The published rows, ours at N = {n}", study_rows(found, n), _HEADS, caption))
        controls = control_rows(found, n)
        heads = {key: f"lora − {key}" for row in controls for key in row if key != "label"}
        screen.print(
            _table(f"What the controls leave, N = {n}", controls, {"label": "measure", **heads}, _CHANCE)
        )


_CHANCE = "Differences with 95% intervals over seeds; of twenty in truth 0, about one leaves it out."
_HEADS = {
    "label": "measure",
    "quantity": "quantity",
    "paper": "paper",
    "ours": "ours",
    "interval": "95% interval",
    "reading": "reading",
}


def _table(title: str, rows: Sequence[Mapping[str, str]], heads: Mapping[str, str], caption: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for key, head in heads.items():
        table.add_column(head, justify="left" if key in ("label", "reading") else "right")
    for row in rows:
        table.add_row(*(row.get(key, "–") for key in heads))
    return table
