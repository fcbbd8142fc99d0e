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


@app.command("show")
def show(
    corpus: Annotated[Path, typer.Argument(help="File of posts.", show_default=False)],
    table: Annotated[
        str | None, typer.Option(help="SQLite only: the table to read.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a corpus and sum it up: people by side, posts, lengths, what was left out and why.

    Example: plures corpus show posts.jsonl.gz
    """
    from dataclasses import asdict

    from agents.loading import load_corpus
    from agents.profiles import summarise
    from sim.numbers import to_json

    facts = asdict(summarise(load_corpus(corpus, table=table)))
    if as_json:
        typer.echo(to_json(facts))
        return
    for key, value in facts.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
        elif isinstance(value, tuple):
            shown = "".join(f"\n  {line}" for line in value) if key == "warnings" else value
        typer.echo(f"{key.replace('_', ' '):20} {shown}")
