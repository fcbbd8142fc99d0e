"""`plures adapters`: look into an adapter store, prove it, bring adapters in and out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Adapters and the store that keeps them.", no_args_is_help=True, rich_markup_mode=None)

DEFAULT_STORE = Path("runs/store")
StoreFolder = Annotated[
    Path, typer.Option("--store", help="Folder of the adapter store.", envvar="PLURES_STORE")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reference = Annotated[
    str,
    typer.Argument(help="Name, tag, NAME@DIGITS, revision id, or its first 8 digits.", show_default=False),
]

_ID_DIGITS = 12


@app.command("list")
def list_adapters(
    store: StoreFolder = DEFAULT_STORE,
    base: Annotated[
        str | None, typer.Option(help="Only for this base: its name or 8 digits of its fingerprint.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Only names that begin so.")] = "",
    tag: Annotated[str | None, typer.Option(help="Only the revision with this tag.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Earlier revisions of each name too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the names in a store and the revision that each stands for.

    Example: plures adapters list --store runs/store --prefix town-hall.
    """
    from adapters.store import AdapterStore, EntryFilter

    entries = AdapterStore(store).list(EntryFilter(base=base, name_prefix=prefix, tag=tag, history=history))
    if as_json:
        _print_json([entry._asdict() for entry in entries])
        return
    rows = [
        (
            e.name,
            e.revision[:_ID_DIGITS] + ("" if e.is_head else " (earlier)"),
            e.kind,
            f"{e.base_name} {e.base_fingerprint[:8]}",
            str(e.rank),
            e.published_at[:19].replace("T", " "),
            " ".join(e.tags),
        )
        for e in entries
    ]
    _print_table(("name", "revision", "kind", "base", "rank", "published (UTC)", "tags"), rows)
    typer.echo(f"{len(rows)} shown", err=True)


@app.command("show")
def show(ref: Reference, store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Say where an adapter comes from: base, recipe, data, scores, names, files.

    Example: plures adapters show town-hall.ada --store runs/store
    """
    from adapters.store import AdapterStore, EntryFilter

    opened = AdapterStore(store)
    revision = opened.resolve(ref)
    entries = opened.list(EntryFilter(revision=revision))
    facts = {
        "revision": revision,
        "path": str(opened.path(revision)),
        "names": [f"{e.name} ({'head' if e.is_head else 'earlier'})" for e in entries],
        "tags": sorted({tag for e in entries for tag in e.tags}),
        **opened.manifest(revision).as_dict(),
    }
    if as_json:
        _print_json(facts)
        return
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    _print_table(("", ""), list(texts.items()))


@app.command("verify")
def verify(
    ref: Annotated[
        str | None,
        typer.Argument(help="Name, tag or revision; without it the whole store.", show_default=False),
    ] = None,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Prove adapters down to the last tensor value; exit status 1 when any is damaged.

    Example: plures adapters verify --store runs/store
    """
    from adapters.errors import CorruptAdapterError
    from adapters.store import AdapterStore

    opened = AdapterStore(store)
    revisions = opened.revisions() if ref is None else [opened.resolve(ref)]
    damaged: dict[str, str] = {}
    for revision in revisions:
        try:
            opened.verify(revision)
        except CorruptAdapterError as error:
            damaged[revision] = str(error)
    if as_json:
        _print_json({"checked": len(revisions), "damaged": damaged})
    else:
        for message in damaged.values():
            typer.echo(message)
        typer.echo(f"{len(revisions)} checked, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(1)


@app.command("import")
def import_adapter(
    folder: Annotated[
        Path, typer.Argument(help="PEFT folder, or one that `export` wrote.", show_default=False)
    ],
    name: Annotated[str, typer.Option(help="That shall stand for it.", show_default=False)],
    base: Annotated[
        str | None,
        typer.Option(help="Base it was trained on: profile, folder or hub id. An exported folder knows it."),
    ] = None,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Publish a PEFT LoRA folder; its tensors are kept bit for bit.

    Whether the layers fit the base shows when an engine first loads it.

    Example: plures adapters import my-adapter --base tiny-moe --name guest --store runs/store
    """
    from adapters.store import AdapterStore
    from adapters.store.transfer import import_folder

    revision = import_folder(AdapterStore(store), folder, name=name, base=_identify(base) if base else None)
    if as_json:
        _print_json({"name": name, "revision": revision})
    else:
        typer.echo(f"{name} is revision {revision}")


@app.command("export")
def export_adapter(
    ref: Reference,
    folder: Annotated[Path, typer.Argument(help="New folder.", show_default=False)],
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Copy an adapter out as a PEFT folder, with its manifest.

    Example: plures adapters export town-hall.ada ada-adapter --store runs/store
    """
    from adapters.store import AdapterStore
    from adapters.store.transfer import export_folder

    opened = AdapterStore(store)
    revision = opened.resolve(ref)
    export_folder(opened, revision, folder)
    if as_json:
        _print_json({"revision": revision, "folder": str(folder)})
    else:
        typer.echo(f"{revision} is in {folder}")


def _identify(ref: str) -> Any:
    from adapters.bases.loader import PROFILES, base_path, fingerprint
    from adapters.errors import BaseModelError
    from adapters.store.transfer import ImportedBase

    path = base_path(ref)
    if not (path / "config.json").is_file():
        raise BaseModelError(f"{path}: config.json is missing; expected a Hugging Face model folder")
    is_label = ref in PROFILES or not Path(ref).is_dir()
    return ImportedBase(ref if is_label else path.name, fingerprint(path))


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2))


def _print_table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from sim.cli.console import out

    table = Table(box=None, pad_edge=False, show_header=any(headings))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)
