"""`plures corpus`: people and their posts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Corpora: look at one, make a synthetic one.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("make")
def make(
    out: Annotated[Path, typer.Argument(help="New folder.", show_default=False)],
    users: Annotated[int, typer.Option(help="People to make up.")] = 64,
    posts: Annotated[int, typer.Option(help="Posts of each.")] = 100,
    seed: Annotated[int, typer.Option(help="Of everything in it.")] = 0,
) -> None:
    """Make a synthetic community: timelines, interaction logs, and the truth behind them.

    Example: plures corpus make runs/town --users 32 --seed 7
    """
    from agents.synthetic import make_community, write_community
    from sim.errors import RunDirError
    from sim.rng import generator

    if out.exists() and any(out.iterdir()):
        raise RunDirError(f"{out}: not empty. Name a new folder.")
    write_community(make_community(generator(seed, "community"), users, posts), out)
    typer.echo(out)
