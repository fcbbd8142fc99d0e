"""`plures adapters import | export | pack | unpack`: adapters in and out of a store, and together in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.adapter_options import DEFAULT_STORE, ID_DIGITS, AsJson, StoreFolder, print_json, print_table

if TYPE_CHECKING:
    from adapters.store import AdapterStore
    from adapters.store.handoff.contents import Contents

References = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="REF", help="Names, tags or revisions; without any the whole store.", show_default=False
    ),
]

_FOLDER_WORDS = 2


def import_adapter(
    path: Annotated[
        Path,
        typer.Argument(help="PEFT folder, one that `export` wrote, or an archive.", show_default=False),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="That shall stand for it; an archive brings its own names.", show_default=False),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Base that it must have been made for: profile, folder or hub id. "
            "An exported folder or archive knows it."
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Put before every name and tag of an archive, such as `guest.`.")
    ] = "",
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Publish a PEFT LoRA folder, or all of an archive; tensors are kept bit for bit.

    An archive comes in whole or not at all, every file proved; importing it again only mends what is damaged here.
    Whether the layers fit the base shows when an engine first loads them.

    Example: plures adapters import my-adapter --base tiny-moe --name guest --store runs/store
    """
    from adapters.errors import StoreError
    from adapters.store import AdapterStore
    from adapters.store.handoff.archive import import_archive
    from adapters.store.handoff.transfer import import_folder

    opened, identity = AdapterStore(store), _identify(base) if base else None
    if path.is_file() or path.suffix == ".tar":
        if name is not None:
            raise StoreError(f"--name {name}: {path} brings its own names; give --prefix to set them apart")
        with _counted("import") as count:
            _report(import_archive(opened, path, base=identity, prefix=prefix, on_adapter=count), as_json)
        return
    if name is None or prefix:
        raise StoreError(f"{path}: a folder is imported with --name, and --prefix is for archives")
    revision = import_folder(opened, path, name=name, base=identity)
    if as_json:
        print_json({"name": name, "revision": revision})
    else:
        typer.echo(f"{name} is revision {revision}")


def export_adapter(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REF",
            help="A name, tag or revision, and after it a new folder; with --archive any number of "
            "references, or none for the whole store.",
            show_default=False,
        ),
    ] = None,
    archive: Annotated[
        Path | None, typer.Option(help="New file for hand-off to another machine.", show_default=False)
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Into the archive: earlier revisions of each name too.")
    ] = False,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Copy an adapter out as a PEFT folder with its manifest, or many into one archive with names and tags.

    Example: plures adapters export town-hall.ada ada-adapter --store runs/store
    """
    from adapters.errors import StoreError
    from adapters.store import AdapterStore
    from adapters.store.handoff.archive import export_archive
    from adapters.store.handoff.transfer import export_folder

    opened, words = AdapterStore(store), what or []
    if archive is not None:
        revisions = _resolve(opened, words, history=history) if words else _named(opened)
        with _counted("export") as count:
            _report(export_archive(opened, revisions, archive, on_adapter=count), as_json)
        return
    if len(words) != _FOLDER_WORDS or history:
        raise StoreError(
            "export: expected a reference and a new folder, or --archive FILE with any number of references"
        )
    revision, folder = opened.resolve(words[0]), Path(words[1])
    export_folder(opened, revision, folder)
    if as_json:
        print_json({"revision": revision, "folder": str(folder)})
    else:
        typer.echo(f"{revision} is in {folder}")


def pack(
    refs: References = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write a packed file of your own and leave the store as it is.", show_default=False
        ),
    ] = None,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Bring adapters of one base and shape together in one file, which opens many times faster than folders.

    In place, adapters of other bases or shapes get files of their own. Old folders go with the next `gc` after
    its grace period. vLLM reads folders only: `unpack` gives them back.

    Example: plures adapters pack --store runs/store
    """
    from adapters.store import AdapterStore
    from adapters.store.packs.packing import pack_in_place, pack_out

    opened = AdapterStore(store)
    revisions = _resolve(opened, refs or [])
    with _counted("pack") as count:
        if out is not None:
            packs = [pack_out(opened, revisions, out, on_adapter=count)]
        else:
            packs = pack_in_place(opened, revisions, on_adapter=count)
    if as_json:
        print_json([{"file": str(p.file), "revisions": p.revisions} for p in packs])
        return
    rows = [(_short(p.file), str(len(p.revisions)), f"{p.file.stat().st_size / 1e6:.1f} MB") for p in packs]
    print_table(("file", "adapters", "size"), rows)


def unpack(
    refs: References = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A packed file of your own, in place of the store.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --file: new folder for its adapters.", show_default=False)
    ] = None,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Give packed adapters PEFT folders of their own again, byte for byte as they were.

    Example: plures adapters unpack town-hall.ada --store runs/store
    """
    from adapters.errors import StoreError
    from adapters.store import AdapterStore
    from adapters.store.folders import disk_errors
    from adapters.store.packs.packed import PackedFile
    from adapters.store.packs.packing import unpack_in_place, unpack_out

    if (file is None) != (out is None) or (file and refs):
        raise StoreError("unpack: expected references into a store, or --file FILE with --out FOLDER")
    if file is not None and out is not None:
        with disk_errors(file), PackedFile(file) as packed, _counted("unpack") as count:
            folders = unpack_out(packed, out, on_adapter=count)
    else:
        opened = AdapterStore(store)
        revisions = _resolve(opened, refs or [])
        with _counted("unpack") as count:
            folders = unpack_in_place(opened, revisions, on_adapter=count)
    if as_json:
        print_json([str(folder) for folder in folders])
    else:
        for folder in folders:
            typer.echo(folder)


def _resolve(store: AdapterStore, refs: Sequence[str], *, history: bool = False) -> list[str]:
    """Full ids, each once, in the order asked for; those of the whole store when nothing is."""
    from adapters.store import EntryFilter

    revisions = [store.resolve(ref) for ref in refs] or [*store.revisions()]
    if history:
        names = {entry.name for r in revisions for entry in store.list(EntryFilter(revision=r))}
        revisions += [entry.revision for name in sorted(names) for entry in store.log(name)]
    return list(dict.fromkeys(revisions))


def _named(store: AdapterStore) -> list[str]:
    """Every revision that a name stands or stood for; what only its descendants name stays behind."""
    from adapters.store import EntryFilter

    return list(dict.fromkeys(e.revision for e in store.list(EntryFilter(history=True, retired=True))))


def _report(contents: Contents, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "revisions": contents.revisions,
                "records": [record._asdict() for record in contents.records],
                "tags": dict(contents.tags),
            }
        )
        return
    rows = [
        (record.name, record.revisions[-1][:ID_DIGITS], str(len(record.revisions)), record.person)
        for record in contents.records
    ]
    print_table(("name", "head", "revisions", "person"), rows)
    typer.echo(
        f"{len(contents.revisions)} revisions, {len(contents.records)} names, {len(contents.tags)} tags",
        err=True,
    )


@contextmanager
def _counted(task: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error that begins with the first adapter."""
    from sim.cli.console import progress_bars

    with progress_bars() as watcher:
        has_begun = False

        def count(done: int, of: int) -> None:
            nonlocal has_begun
            if not has_begun:
                watcher.begin(task, of)
                has_begun = True
            watcher.advance(task, done)

        yield count


def _short(path: Path) -> str:
    """Relative to the current folder where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _identify(ref: str) -> Any:
    from adapters.bases.loader import PROFILES, base_path, fingerprint
    from adapters.errors import BaseModelError
    from adapters.store.handoff.transfer import ImportedBase

    path = base_path(ref)
    if not (path / "config.json").is_file():
        raise BaseModelError(f"{path}: config.json is missing; expected a Hugging Face model folder")
    is_label = ref in PROFILES or not Path(ref).is_dir()
    return ImportedBase(ref if is_label else path.name, fingerprint(path))
