"""`plures adapters train | evaluate`: from a corpus to adapters, and whether they carry the person."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim.scenario import Scenario

Corpus = Annotated[
    str,
    typer.Option(help="File of posts (JSONL, CSV, Parquet, SQLite), or `synthetic` for a made-up community."),
]
Base = Annotated[str, typer.Option(help="tiny-moe, a fetched base, a hub id or a model folder.")]
Store = Annotated[Path, typer.Option(help="Adapter store.", envvar="PLURES_STORE")]
Users = Annotated[int, typer.Option(help="How many people, half from each side.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Any scenario key, e.g. --set adapters.rank=8. May be repeated.", show_default=False
    ),
]
FromScenario = Annotated[
    Path | None,
    typer.Option(
        "--scenario",
        help="Scenario file that says all this: in place of --corpus, --base and --users.",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
_STORE = Path("runs/store")
_IN_A_SCENARIO = ("corpus", "base", "users")


def train(
    context: typer.Context,
    corpus: Corpus = "synthetic",
    base: Base = "tiny-moe",
    store: Store = _STORE,
    users: Users = 32,
    scenario: FromScenario = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
) -> None:
    """Train one adapter for every person, many at once; what the store holds already is not trained again.

    Example: plures adapters train --corpus posts.jsonl.gz --users 32 --set adapters.epochs=2
    """
    from adapters.store import AdapterStore
    from sim.cli.console import progress_bars
    from sim.preparation import obtain_adapters, prepare_training
    from sim.progress import Silent

    asked = _scenario(context, scenario, corpus, base, users, overrides or ())
    with nullcontext(Silent()) if quiet else progress_bars() as watcher:
        ready = prepare_training(asked)
        refs = obtain_adapters(asked, ready, AdapterStore(store), watcher, store / "training")
    for user_id, revision in refs.own.items():
        typer.echo(f"{user_id}\t{revision}")


def evaluate(
    context: typer.Context,
    corpus: Corpus = "synthetic",
    base: Base = "tiny-moe",
    store: Store = _STORE,
    users: Users = 32,
    scenario: FromScenario = None,
    held_out: Annotated[int, typer.Option(help="Held-out posts of each person.", min=1)] = 10,
    calibration: Annotated[
        int, typer.Option(help="Training posts of each person that calibrate the others' adapters.", min=0)
    ] = 5,
    generated: Annotated[
        int, typer.Option(help="Posts that every adapter writes, and the base as many.", min=0)
    ] = 0,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Score held-out posts under own, others' and no adapter: perplexities and author identification.

    Adapters come from the store; missing ones are trained first, with the same options as `train`. What is found is
    written down there for each adapter (`plures adapters show NAME`, `plures adapters list --metric`), and everybody's
    posts under everybody's adapter in `STORE/evaluations/`, where `plures dashboard` finds them.

    With --generated, adapters and base also write posts, under one prompt and the same seeds, and a classifier that
    learned people's style from their real training posts says whose they look like.

    Example: plures adapters evaluate --corpus posts.jsonl.gz --users 32 --held-out 10 --generated 10 --json
    """
    from adapters.store import AdapterStore
    from sim.adapter_evaluation import Amounts, evaluate_adapters
    from sim.cli.console import out as screen
    from sim.cli.console import progress_bars
    from sim.cli.tables import imitation_table, individuality_table
    from sim.numbers import to_json
    from sim.progress import Silent

    enough = () if scenario else (f"population.held_out_posts={held_out}",)
    asked = _scenario(context, scenario, corpus, base, users, (*(overrides or ()), *enough))
    with nullcontext(Silent()) if quiet else progress_bars() as watcher:
        amounts = Amounts(held_out, calibration, generated)
        found = evaluate_adapters(asked, AdapterStore(store), amounts, watcher)
    if as_json:
        typer.echo(to_json(found.as_dict()))
        return
    screen.print(individuality_table(found.individuality, toy=found.toy))
    if found.imitation is not None:
        screen.print(imitation_table(found.imitation, found.failures))


def _scenario(
    context: typer.Context,
    file: Path | None,
    corpus: str,
    base: str,
    users: int,
    overrides: Sequence[str],
) -> Scenario:
    """The scenario that a file holds or the options make up; conditions other than `lora` need no adapters here."""
    from sim.scenario_file import load_scenario, scenario_from

    if file is not None:
        sources = {name: context.get_parameter_source(name) for name in _IN_A_SCENARIO}
        if given := [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]:
            raise typer.BadParameter(
                f"the scenario says it already; leave out --{given[0]}, or change a key of it with --set",
                param_hint="--scenario",
            )
        return load_scenario(file, overrides).model_copy(update={"conditions": ("lora",)})
    posts = (
        {"kind": "synthetic", "users": users} if corpus == "synthetic" else {"kind": "file", "path": corpus}
    )
    data = {
        "name": "adapters",
        "base": base,
        "corpus": posts,
        "population": {"size": users},
        "conditions": ["lora"],
        "compare": {"treatment": "lora", "control": "shared_base"},
    }
    return scenario_from(data, overrides, folder=Path.cwd())
