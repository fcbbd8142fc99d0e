"""`plures adapters train | evaluate`: from a corpus to adapters, and whether they carry the person."""

from __future__ import annotations

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
Base = Annotated[str, typer.Option(help="Profile name or model folder.")]
Store = Annotated[Path, typer.Option(help="Adapter store.", envvar="PLURES_STORE")]
Users = Annotated[int, typer.Option(help="How many people, half from each side.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Any scenario key, e.g. --set adapters.rank=8. May be repeated.", show_default=False
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
_STORE = Path("runs/store")


def train(
    corpus: Corpus = "synthetic",
    base: Base = "tiny-moe",
    store: Store = _STORE,
    users: Users = 32,
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

    scenario = _scenario(corpus, base, users, overrides)
    with nullcontext(Silent()) if quiet else progress_bars() as watcher:
        ready = prepare_training(scenario)
        refs = obtain_adapters(scenario, ready, AdapterStore(store), watcher, store / "training")
    for user_id, revision in refs.own.items():
        typer.echo(f"{user_id}\t{revision}")


def evaluate(
    corpus: Corpus = "synthetic",
    base: Base = "tiny-moe",
    store: Store = _STORE,
    users: Users = 32,
    held_out: Annotated[int, typer.Option(help="Held-out posts of each person.")] = 10,
    calibration: Annotated[
        int, typer.Option(help="Training posts of each person that calibrate the others' adapters.")
    ] = 5,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Score held-out posts under own, others' and no adapter: perplexities and author identification.

    Adapters come from the store; missing ones are trained first, with the same options as `train`. What is found is
    written down there for each adapter (`plures adapters show NAME`, `plures adapters list --metric`), and everybody's
    posts under everybody's adapter in `STORE/evaluations/`, where `plures dashboard` finds them.

    Example: plures adapters evaluate --corpus posts.jsonl.gz --users 32 --held-out 10 --json
    """
    from adapters.store import AdapterStore
    from metrics.individuality import individuality
    from sim.adapter_evidence import evaluation_evidence, serving_path
    from sim.cli.console import out as screen
    from sim.cli.console import progress_bars
    from sim.cli.tables import individuality_table
    from sim.engines import open_engine
    from sim.individuality import score_held_out
    from sim.likelihood_files import keep_likelihoods
    from sim.numbers import to_json
    from sim.preparation import everyone, obtain_adapters, prepare_training
    from sim.progress import Silent
    from sim.rng import generator

    scenario = _scenario(corpus, base, users, [*(overrides or ()), f"population.held_out_posts={held_out}"])
    shelf = AdapterStore(store)
    with nullcontext(Silent()) if quiet else progress_bars() as watcher:
        ready = prepare_training(scenario)
        refs = obtain_adapters(scenario, ready, shelf, watcher, store / "training")
        engine = open_engine(scenario, ready.base, shelf, watcher=watcher)
        try:
            scores = score_held_out(
                engine,
                ready.base,
                [ready.people.splits[user_id] for user_id in everyone(ready.people)],
                refs.own,
                rendering=scenario.adapters.rendering,
                held_out=held_out,
                calibration=calibration,
                watcher=watcher,
            )
        finally:
            engine.close()
    path = serving_path(scenario)
    shelf.evidence.add(evaluation_evidence(scores, refs.own, scenario.adapters.rendering, path))
    keep_likelihoods(shelf.layout.evaluations, scores, refs.own)
    result = individuality(
        scores.nll,
        scores.owner,
        scores.tokens,
        calibration=scores.calibration,
        rng=generator(0, "individuality"),
    )
    if as_json:
        typer.echo(to_json({"base": ready.base.name, "toy": ready.base.is_toy, **result.as_dict()}))
    else:
        screen.print(individuality_table(result, toy=ready.base.is_toy))


def _scenario(corpus: str, base: str, users: int, overrides: list[str] | None) -> Scenario:
    from sim.scenario_file import scenario_from

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
    return scenario_from(data, overrides or (), folder=Path.cwd())
