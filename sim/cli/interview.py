"""`plures interview`: talk to an agent of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sim.interview import Exchange, Interview


def interview(
    folder: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    agent: Annotated[
        str | None, typer.Option(help="Whom: handle, agent id or user id.", show_default=False)
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(help="In which cell, e.g. lora-n64-s0. [default: the first]", show_default=False),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(
            help="When: the agent sees what it saw last up to this step. [default: the last]",
            show_default=False,
        ),
    ] = None,
    question: Annotated[
        list[str] | None,
        typer.Option(
            help="Ask this and stop. May be repeated. Without it, type questions.", show_default=False
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Let the agent's adapter of another condition answer too. May be repeated.",
            show_default=False,
        ),
    ] = None,
    store: Annotated[Path, typer.Option(help="Adapter store of the run.", envvar="PLURES_STORE")] = Path(
        "runs/store"
    ),
    session: Annotated[
        str | None,
        typer.Option(help="Go on with the interview of this name, or begin it.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the answers.", min=0)] = 0,
    as_post: Annotated[
        bool,
        typer.Option(
            "--as-post", help="Answer in the words of a post, as the agent writes them; else freely."
        ),
    ] = False,
    tokens: Annotated[int, typer.Option(help="Longest answer, in tokens.", min=1)] = 160,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: the scene, and every question with its answers.")
    ] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Answer JSON lines from standard input, for other programs.")
    ] = False,
) -> None:
    """Ask an agent: its adapter and the shared base answer side by side. Kept in RUN/interviews/.

    Example: plures interview runs/quickstart --agent 3 --question "What do you think of the plan?"
    """
    if serve:
        _serve(folder, store)
        return
    if agent is None:
        raise typer.BadParameter("name an agent", param_hint="--agent")
    from sim.interview import Studio

    with Studio.open(folder, store) as studio:
        held = studio.interview(
            agent,
            cell=cell,
            step=step,
            also=also or (),
            session=session,
            seed=seed,
            form="post" if as_post else "free",
            max_new_tokens=tokens,
        )
        if not as_json:
            _introduce(held, toy=bool(studio.base["toy"]))
        exchanges = [_shown(held.ask(asked), quiet=as_json) for asked in question or _typed()]
    if not as_json:
        typer.echo(f"Kept in {held.transcript.path}")
        return
    from sim.numbers import to_json

    typer.echo(to_json(_record(held, studio.base, exchanges)))


def _serve(folder: Path, store: Path) -> None:
    """Standard output carries JSON alone; whatever libraries print goes to standard error."""
    import os
    import sys

    from sim.interview import Studio
    from sim.interview.serving import serve

    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(line: str) -> None:
        answers.write(f"{line}\n")
        answers.flush()

    if not serve(lambda: Studio.open(folder, store), sys.stdin, say):
        raise typer.Exit(2)


def _introduce(held: Interview, *, toy: bool) -> None:
    scene = held.scene
    typer.echo(f"@{scene.agent.handle} in {scene.cell.id} after step {scene.step}: {scene.agent.persona}")
    seen = (
        f"what it saw at step {scene.seen_at}, {len(scene.feed)} posts" if scene.seen_at else "an empty feed"
    )
    typer.echo(f"Before it: {seen}.")
    if toy:
        typer.echo("The base is a toy: it can hold no conversation, and its answers only show the machinery.")
    if held.exchanges:
        typer.echo(f"Goes on after {len(held.exchanges)} questions.")


def _typed() -> Iterator[str]:
    """Questions as they are typed, until an empty line, the end of input or Ctrl-C."""
    with suppress(ImportError):
        import readline  # noqa: F401 - importing it gives `input` arrow keys and a history
    while True:
        try:
            asked = input("? ").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if not asked:
            return
        yield asked


def _shown(exchange: Exchange, *, quiet: bool) -> Exchange:
    if quiet:
        return exchange
    from rich.table import Table
    from rich.text import Text

    from agents.text import clean_text
    from sim.cli.console import out as screen

    table = Table(title=Text(exchange.question), title_justify="left", show_lines=True)
    table.add_column("voice")
    table.add_column("adapter")
    table.add_column("answer", ratio=1)
    for answer in exchange.answers:
        # A model may write escape sequences, which a terminal would obey.
        said = clean_text(answer.error or answer.text)
        table.add_row(answer.voice, (answer.adapter or "none")[:12], Text(said))
    screen.print(table)
    return exchange


def _record(held: Interview, base: dict[str, Any], exchanges: Sequence[Exchange]) -> dict[str, Any]:
    return {
        "session": held.transcript.session,
        "base": base,
        **held.scene.as_plain(),
        "exchanges": [exchange.as_plain() for exchange in exchanges],
    }
