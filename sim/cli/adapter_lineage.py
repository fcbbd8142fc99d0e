"""`plures adapters log | diff | tag | rollback | branch | retire`: how records came about, and changing them."""

from __future__ import annotations

from typing import Annotated

import typer

from sim.cli.adapter_options import (
    DEFAULT_STORE,
    ID_DIGITS,
    AsJson,
    Reference,
    StoreFolder,
    day_time,
    print_json,
    print_table,
)

Name = Annotated[str, typer.Argument(help="Name of a record.", show_default=False)]


def log(name: Name, store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Show what a name has stood for, the newest first: published, rolled back or branched, and from what.

    Example: plures adapters log town-hall.ada --store runs/store
    """
    from adapters.store import AdapterStore

    opened = AdapterStore(store)
    record, entries = opened.policy(name), opened.log(name)
    if as_json:
        facts = record._asdict() | {"shape": record.shape._asdict()}
        print_json({"record": facts, "history": [entry._asdict() for entry in entries]})
        return
    rows = [
        (
            str(e.sequence) + (" *" if e.is_head else ""),
            e.event,
            e.revision[:ID_DIGITS],
            e.parent[:ID_DIGITS] if e.parent else "",
            day_time(e.published_at),
            e.state,
            " ".join(e.tags),
        )
        for e in entries
    ]
    print_table(("entry", "event", "revision", "trained from", "at (UTC)", "state", "tags"), rows)
    if record.parent_revision:
        source = f"{record.parent or 'revision'}@{record.parent_revision[:ID_DIGITS]}"
        typer.echo(f"branched from {source}")
    if record.retired_at:
        typer.echo(f"retired since {day_time(record.retired_at)} UTC")


def diff(
    one: Reference, other: Reference, store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False
) -> None:
    """Compare two revisions: the fields of their manifests, and how far apart their updates ΔW are.

    Example: plures adapters diff town-hall.ada town-hall.ben --store runs/store
    """
    from adapters.lora.difference import compare_updates
    from adapters.store import AdapterStore
    from adapters.store.manifest import manifest_differences

    opened = AdapterStore(store)
    revisions = [opened.resolve(ref) for ref in (one, other)]
    fields = manifest_differences(*(opened.manifest(revision) for revision in revisions))
    updates = compare_updates(*(opened.open(revision) for revision in revisions))
    if as_json:
        print_json(
            {
                "revisions": revisions,
                "manifest": fields,
                "updates": {target: update._asdict() for target, update in updates.items()},
            }
        )
        return
    left, right = (revision[:ID_DIGITS] for revision in revisions)
    print_table(
        ("manifest", left, right),
        [(key, _text(a), _text(b)) for key, (a, b) in fields.items()] or [("equal", "", "")],
    )
    typer.echo()
    print_table(
        ("update ΔW", f"norm {left}", f"norm {right}", "norm of difference", "cosine"),
        [
            (target, _number(u.norm_one), _number(u.norm_other), _number(u.difference), _number(u.cosine))
            for target, u in updates.items()
        ],
    )


def tag(
    tag: Annotated[
        str, typer.Argument(help="Formed like a name: a-z, 0-9, '.', '_', '-'.", show_default=False)
    ],
    ref: Annotated[
        str | None, typer.Argument(help="What gets the tag: name, NAME@DIGITS, revision.", show_default=False)
    ] = None,
    move: Annotated[bool, typer.Option("--move", help="Take the tag from the revision that has it.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Take the tag away.")] = False,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Give a revision a fixed second name that no publication moves; or take one away.

    Example: plures adapters tag pilot town-hall.ada --store runs/store
    """
    from adapters.store import AdapterStore

    if delete == (ref is not None):
        raise typer.BadParameter("give what gets the tag, or --delete and nothing else")
    opened = AdapterStore(store)
    if ref is None:
        revision = opened.untag(tag)
    else:
        revision = opened.resolve(ref)
        opened.tag(tag, revision, move=move)
    _tell(
        f"{tag} {'was' if delete else 'is'} on {revision}",
        {"tag": tag, "revision": revision},
        as_json=as_json,
    )


def rollback(
    name: Name,
    to: Annotated[
        str | None,
        typer.Option(help="Revision of its history, or the first digits; the one before by default."),
    ] = None,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Let a name stand for an earlier revision of its own again; the history keeps everything.

    Example: plures adapters rollback town-hall.ada --store runs/store
    """
    from adapters.store import AdapterStore

    revision = AdapterStore(store).rollback(name, to)
    _tell(f"{name} is revision {revision}", {"name": name, "revision": revision}, as_json=as_json)


def branch(
    ref: Reference,
    name: Annotated[str, typer.Argument(help="Of the new record.", show_default=False)],
    person: Annotated[str, typer.Option(help="Whose it is; that of the source by default.")] = "",
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Begin a record of its own at a revision; the one that it comes from goes on unchanged.

    Example: plures adapters branch town-hall.ada town-hall.ada-calm --store runs/store
    """
    from adapters.store import AdapterStore

    record = AdapterStore(store).branch(ref, name, person=person)
    _tell(
        f"{name} is revision {record.head}" + (f", branched from {record.parent}" if record.parent else ""),
        {"name": name, "revision": record.head, "parent": record.parent},
        as_json=as_json,
    )


def retire(
    ref: Annotated[
        str, typer.Argument(help="Name of a record; tag or id of a single revision.", show_default=False)
    ],
    reason: Annotated[str, typer.Option(help="One line for the log of states.")] = "by hand",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back into use.")] = False,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Take a record, or a single revision, out of use: it is kept, but may not serve; or take it back.

    Example: plures adapters retire town-hall.ada --reason 'left the study' --store runs/store
    """
    from adapters.store import AdapterStore

    opened = AdapterStore(store)
    (opened.unretire if undo else opened.retire)(ref, reason)
    what = "in use again" if undo else "retired"
    _tell(f"{ref} is {what}", {"ref": ref, "retired": not undo}, as_json=as_json)


def _tell(text: str, facts: object, *, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        typer.echo(text)


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
