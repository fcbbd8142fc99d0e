"""`plures run | validate | report | metrics`: scenarios and what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ScenarioFile = Annotated[Path, typer.Argument(help="Scenario YAML.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(help="Run directory.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Override a key, e.g. --set population.size=32. May be repeated.", show_default=False
    ),
]


def run(
    scenario: ScenarioFile,
    out: Annotated[
        Path | None,
        typer.Option(help="Run directory; default runs/NAME of the scenario.", show_default=False),
    ] = None,
    store: Annotated[Path, typer.Option(help="Adapter store, shared by runs.", envvar="PLURES_STORE")] = Path(
        "runs/store"
    ),
    overrides: Overrides = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an unfinished run, or show a finished one.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars.")] = False,
) -> None:
    """Run a scenario: train what is missing, simulate every cell, measure, compare, report.

    Example: plures run scenarios/quickstart.yaml --out runs/first --set population.size=32
    """
    from contextlib import nullcontext

    from sim.cli.console import out as screen
    from sim.cli.console import progress_bars
    from sim.cli.tables import comparison_tables, headline
    from sim.experiment import run_experiment
    from sim.progress import Silent
    from sim.scenario_file import load_scenario

    resolved = load_scenario(scenario, overrides or ())
    folder = out or Path("runs") / resolved.name
    with nullcontext(Silent()) if quiet else progress_bars() as watcher:
        finished = run_experiment(resolved, folder, store=store, resume=resume, watcher=watcher)
    screen.print(headline(finished))
    screen.print(comparison_tables(finished))
    screen.print(f"Report: {finished.report_file}", markup=False)


def validate(scenario: ScenarioFile, overrides: Overrides = None) -> None:
    """Check a scenario, its corpus and its base without running anything.

    Example: plures validate scenarios/quickstart.yaml
    """
    from sim.preparation import check
    from sim.scenario_file import load_scenario

    for line in check(load_scenario(scenario, overrides or ())):
        typer.echo(line)


def report(folder: RunFolder) -> None:
    """Write the HTML report of a run anew, also of one that is still going on.

    Example: plures report runs/quickstart
    """
    from sim.report import write_report
    from sim.run_dir import RunDir

    typer.echo(write_report(RunDir.open(folder)))


def metrics(
    folder: RunFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: measures and comparison.")] = False,
) -> None:
    """Print a run's measures and paired differences.

    Example: plures metrics runs/quickstart --json
    """
    from sim.comparison import compare_run
    from sim.numbers import to_json
    from sim.run_dir import RunDir

    found = RunDir.open(folder)
    if as_json:
        typer.echo(
            to_json(
                {
                    "state": found.state,
                    "metrics": found.read_metrics().to_dict("records"),
                    "comparison": compare_run(found).to_dict("records"),
                }
            )
        )
        return
    from sim.cli.console import out as screen
    from sim.cli.tables import comparison_tables, headline

    screen.print(headline(found))
    screen.print(comparison_tables(found))
