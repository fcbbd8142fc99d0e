"""`plures adapters list | show | stats`: what a store holds."""

from __future__ import annotations

import json
from typing import Annotated, cast

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

app = typer.Typer(help="Adapters and the store that keeps them.", no_args_is_help=True, rich_markup_mode=None)

_BYTES_PER_MB = 1_000_000


@app.command("list")
def list_adapters(
    store: StoreFolder = DEFAULT_STORE,
    base: Annotated[
        str | None, typer.Option(help="Only for this base: its name or 8 digits of its fingerprint.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Only names that begin so.")] = "",
    person: Annotated[str | None, typer.Option(help="Only of this person: the id in the corpus.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only the revision with this tag.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="Only where a metric is high or low enough, best first: 'last_loss<=2.5'."),
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="Only in this serving state: registered, ready, served, ...")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Earlier revisions of each name too.")] = False,
    retired: Annotated[bool, typer.Option("--retired", help="Names out of use too.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many; all by default.", min=1)] = None,
    after: Annotated[
        str | None, typer.Option(help="Begin behind this place: `cursor` of the last entry before.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the names in a store and the revision that each stands for.

    Example: plures adapters list --store runs/store --prefix town-hall. --limit 50
    """
    from adapters.store import AdapterStore, EntryFilter, MetricBound, State

    wanted = EntryFilter(
        base=base,
        name_prefix=prefix,
        tag=tag,
        history=history,
        person=person,
        metric=MetricBound.parse(metric) if metric else None,
        state=cast("State | None", state),  # checked by the store
        retired=retired,
    )
    opened = AdapterStore(store)
    entries = opened.list(wanted, limit=limit, after=after)
    if not entries:
        for sentence in opened.unknown_in(wanted):
            typer.echo(sentence, err=True)
    if as_json:
        print_json([entry._asdict() for entry in entries])
        return
    rows = [
        (
            e.name + (" (retired)" if e.retired else ""),
            e.revision[:ID_DIGITS] + ("" if e.is_head else " (earlier)"),
            e.kind,
            f"{e.base_name} {e.base_fingerprint[:8]}",
            str(e.rank),
            day_time(e.published_at),
            e.state,
            " ".join(e.tags),
            *([f"{e.score:.4g}"] if e.score is not None else ()),
        )
        for e in entries
    ]
    headings = ("name", "revision", "kind", "base", "rank", "published (UTC)", "state", "tags")
    print_table((*headings, wanted.metric.metric) if wanted.metric else headings, rows)
    more = f"; go on with --after {entries[-1].cursor}" if limit and len(entries) == limit else ""
    typer.echo(f"{len(rows)} shown{more}", err=True)


@app.command("show")
def show(ref: Reference, store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Say where an adapter comes from: base, recipe, data, scores, names, files, state.

    Example: plures adapters show town-hall.ada --store runs/store
    """
    from adapters.store import AdapterStore, EntryFilter

    opened = AdapterStore(store)
    revision = opened.resolve(ref)
    row = opened.row(revision)
    entries = opened.list(EntryFilter(revision=revision))
    facts = {
        "revision": revision,
        "state": row.state,
        "path": str(opened.root / row.pack if row.pack else opened.path(revision)),
        "names": [_role(e.name, is_head=e.is_head, retired=e.retired) for e in entries],
        "persons": sorted({e.person for e in entries if e.person}),
        "tags": list(opened.tags(revision)),
        "size": row.size,
        "layers": row.shape.layers,
        "parameters": row.shape.parameters,
        "dtype": row.shape.dtype,
        "evidence": [entry._asdict() for entry in opened.evidence.of(revision)],
        **opened.manifest(revision).as_dict(),
    }
    if as_json:
        print_json(facts)
        return
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    print_table(("", ""), list(texts.items()))


@app.command("stats")
def stats(store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Count what a store holds: records, revisions, bytes, bases, states, shared content.

    Example: plures adapters stats --store runs/store
    """
    from adapters.store import AdapterStore

    totals = AdapterStore(store).statistics()
    if as_json:
        print_json(totals._asdict())
        return
    rows = [
        ("records", f"{totals.records:,} in use, {totals.retired_records:,} retired"),
        ("revisions", f"{totals.revisions:,}, {totals.bytes / _BYTES_PER_MB:,.1f} MB"),
        ("history", f"{totals.entries:,} entries"),
        ("shared", f"{totals.shared:,} times, saves {totals.bytes_saved / _BYTES_PER_MB:,.1f} MB"),
        ("tags", f"{totals.tags:,}"),
        ("rollouts and evaluations", f"{totals.evidence:,}"),
        ("packed files", f"{totals.packs:,}"),
        *((f"base {base}", f"{count:,} revisions") for base, count in totals.by_base.items()),
        *((f"kind {kind}", f"{count:,} revisions") for kind, count in totals.by_kind.items()),
        *((f"state {state}", f"{count:,} revisions") for state, count in totals.by_state.items()),
    ]
    print_table(("", ""), rows)


def _role(name: str, *, is_head: bool, retired: bool) -> str:
    return f"{name} ({'head' if is_head else 'earlier'}{', retired' if retired else ''})"
