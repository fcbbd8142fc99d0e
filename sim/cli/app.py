"""`plures`: the command line. Heavy imports happen inside commands, so that `--help` answers at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sim.cli import (
    adapter_files,
    adapter_lineage,
    adapter_serving,
    adapter_upkeep,
    adapters,
    base,
    corpus,
    dashboard,
    estimate,
    graph,
    interview,
    runs,
    series,
    serve,
    stance,
    study,
    text,
    training,
)

_STOPPED = 130
"""What Typer makes of Ctrl-C."""

app = typer.Typer(
    name="plures",
    help="Simulate a population whose members each carry their own LoRA adapter over one language model, "
    "and compare it, seed by seed, with the same population on the shared base.\n\n"
    "First run:  plures run scenarios/quickstart.yaml --out runs/quickstart",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.command("run")(runs.run)
app.command("validate")(runs.validate)
app.command("estimate")(estimate.estimate)
app.command("report")(runs.report)
app.command("metrics")(runs.metrics)
app.command("study")(study.study)
app.command("graph")(graph.graph)
app.command("dashboard")(dashboard.dashboard)
app.command("validate-series")(series.validate_series)
app.command("text")(text.text)
app.command("interview")(interview.interview)
adapters.app.command("log")(adapter_lineage.log)
adapters.app.command("diff")(adapter_lineage.diff)
adapters.app.command("tag")(adapter_lineage.tag)
adapters.app.command("rollback")(adapter_lineage.rollback)
adapters.app.command("branch")(adapter_lineage.branch)
adapters.app.command("retire")(adapter_lineage.retire)
adapters.app.command("import")(adapter_files.import_adapter)
adapters.app.command("export")(adapter_files.export_adapter)
adapters.app.command("pack")(adapter_files.pack)
adapters.app.command("unpack")(adapter_files.unpack)
adapters.app.command("verify")(adapter_upkeep.verify)
adapters.app.command("fsck")(adapter_upkeep.fsck)
adapters.app.command("gc")(adapter_upkeep.gc)
adapters.app.command("activate")(adapter_serving.activate)
adapters.app.command("train")(training.train)
adapters.app.command("evaluate")(training.evaluate)
app.add_typer(adapters.app, name="adapters")
app.add_typer(base.app, name="base")
app.add_typer(corpus.app, name="corpus")
app.add_typer(stance.app, name="stance")
app.add_typer(serve.app, name="serve")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"plures {installed('plures')}")
        raise typer.Exit


def main() -> None:
    """Entry point: errors that a user can mend are one message on standard error and exit status 2."""
    from sim.errors import USER_ERRORS

    try:
        app()
    except USER_ERRORS as error:
        typer.echo(f"plures: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(
            f"plures: {where}{error.strerror or error}. What was finished before is kept; mend and resume.",
            err=True,
        )
        sys.exit(2)
    except SystemExit as end:
        if end.code == _STOPPED:
            typer.echo("plures: stopped. What was finished is kept; add --resume to go on.", err=True)
        raise
