"""`plures estimate`: how long a run will take here, before it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.cli.runs import Overrides, ScenarioFile


def estimate(
    scenario: ScenarioFile,
    store: Annotated[
        Path, typer.Option(help="Adapter store; what it holds need not be trained.", envvar="PLURES_STORE")
    ] = Path("runs/store"),
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: parts and seconds.")] = False,
) -> None:
    """Time small samples of a scenario's training and decisions on this machine, and scale them up to the run.

    Example: plures estimate scenarios/quickstart.yaml --set population.size=32
    """
    from adapters.store import AdapterStore
    from sim.estimate import estimate as estimated
    from sim.numbers import number, to_json
    from sim.preparation import prepare
    from sim.scenario_file import load_scenario

    resolved = load_scenario(scenario, overrides or ())
    parts = estimated(resolved, prepare(resolved), AdapterStore(store))
    total = sum(part.seconds for part in parts)
    if as_json:
        typer.echo(to_json({"parts": [part._asdict() for part in parts], "seconds": total}))
        return
    if not parts:
        typer.echo(f"{resolved.name}: opinion models alone, seconds for each cell; nothing to sample")
        return
    from rich.table import Table

    from sim.cli.console import out as screen

    table = Table(
        title=f"{resolved.name}: about {number(total / 60)} minutes, on this machine as busy as now"
    )
    for head in ("part", "amount", "seconds each", "minutes"):
        table.add_column(head, justify="left" if head == "part" else "right")
    for part in parts:
        each = number(part.seconds / part.amount) if part.amount else "–"
        table.add_row(part.name, f"{part.amount:,} {part.unit}", each, number(part.seconds / 60))
    screen.print(table)
