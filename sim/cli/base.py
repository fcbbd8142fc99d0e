"""`plures base`: the models under the adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Base models: show one, train the shipped tiny one.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("show")
def show(
    base: Annotated[str, typer.Argument(help="Profile name or model folder.")] = "tiny-moe",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a base is: architecture, size, fingerprint.

    Example: plures base show tiny-moe
    """
    import json

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
        "experts": getattr(config, "num_experts", getattr(config, "num_local_experts", 0)),
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
    seed: Annotated[int, typer.Option(help="Of the community, the weights and the data order.")] = 7,
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
