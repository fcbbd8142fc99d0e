"""`plures`: the command line. Heavy imports happen inside commands, so that `--help` answers at once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sim.cli import adapters, base, corpus, runs, training

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
app.command("report")(runs.report)
app.command("metrics")(runs.metrics)
adapters.app.command("train")(training.train)
adapters.app.command("evaluate")(training.evaluate)
app.add_typer(adapters.app, name="adapters")
app.add_typer(base.app, name="base")
app.add_typer(corpus.app, name="corpus")


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
    except KeyboardInterrupt:
        typer.echo("plures: stopped. What was finished is kept; add --resume to go on.", err=True)
        sys.exit(130)
