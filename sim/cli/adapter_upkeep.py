"""`plures adapters verify`, `fsck` and `gc`: proving a store, repairing it, freeing its space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.adapter_options import DEFAULT_STORE, ID_DIGITS, AsJson, StoreFolder, print_json, print_table

if TYPE_CHECKING:
    from adapters.store.upkeep.collection import Collection
    from adapters.store.upkeep.fsck import Finding, Report

_BYTES_PER_MB = 1_000_000
_MOST_SHOWN = 20
_REVISION = re.compile(r"\b[0-9a-f]{64}\b")


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
    from sim.cli.console import progress_bars

    opened = AdapterStore(store)
    revisions = opened.revisions() if ref is None else [opened.resolve(ref)]
    damaged: dict[str, str] = {}
    with progress_bars() as watcher:
        watcher.begin("verify", len(revisions))
        for done, revision in enumerate(revisions, start=1):
            try:
                opened.verify(revision)
            except CorruptAdapterError as error:
                damaged[revision] = str(error)
            watcher.advance("verify", done)
    if as_json:
        print_json({"checked": len(revisions), "damaged": damaged})
    else:
        for message in damaged.values():
            typer.echo(message)
        typer.echo(f"{len(revisions)} checked, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(1)


def fsck(
    store: StoreFolder = DEFAULT_STORE,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended without guessing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a store: every file's hash, and whatever does not belong; exit status 1 when problems remain.

    A repair never changes what a name stands for, and deletes no damaged adapter: it moves it to
    quarantine/ in the store's folder.

    Example: plures adapters fsck --repair --store runs/store
    """
    from adapters.store import AdapterStore
    from adapters.store.upkeep import fsck as checks
    from sim.cli.console import progress_bars

    with progress_bars() as watcher:
        has_begun = False

        def show(done: int, of: int) -> None:
            nonlocal has_begun
            if not has_begun:
                watcher.begin("fsck", of)
                has_begun = True
            watcher.advance("fsck", done)

        examine = checks.repair if repair else checks.check
        report = examine(AdapterStore(store), on_progress=show)
    if as_json:
        print_json(_report_values(report))
    else:
        _print_report(report, store, repaired=repair)
    if report.problems:
        raise typer.Exit(1)


def gc(
    store: StoreFolder = DEFAULT_STORE,
    history: Annotated[
        int | None,
        typer.Option(
            min=1, help="Keep so many entries of each name's history; without it all.", show_default=False
        ),
    ] = None,
    retired_days: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=36_500,
            help="Forget names retired at least so many days ago; without it none.",
            show_default=False,
        ),
    ] = None,
    drop_ancestors: Annotated[
        bool, typer.Option("--drop-ancestors", help="Let revisions go that only their descendants name.")
    ] = False,
    grace_hours: Annotated[
        int,
        typer.Option(
            min=0, max=876_000, help="How long files outlive their rows, for engines that still use them."
        ),
    ] = 24,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without it, only say what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Free the space of revisions that nothing names: no name's history, tag, branch, record or saved training.

    Example: plures adapters gc --history 3 --apply --store runs/store
    """
    from dataclasses import asdict
    from datetime import timedelta

    from adapters.store import AdapterStore
    from adapters.store.upkeep.collection import collect
    from adapters.store.upkeep.retention import Retention

    wanted = Retention(history=history, retired_days=retired_days, ancestors=not drop_ancestors)
    done = collect(AdapterStore(store), wanted, grace=timedelta(hours=grace_hours), apply=apply)
    if as_json:
        print_json(asdict(done))
    else:
        _print_collection(done, grace_hours)


def _report_values(report: Report) -> dict[str, Any]:
    def values(findings: Sequence[Finding]) -> list[dict[str, Any]]:
        return [
            {
                "code": f.code,
                "where": f.where,
                "problem": f.problem,
                "cure": f.cure,
                "can_repair": f.mend is not None,
            }
            for f in findings
        ]

    return {
        "checked": report.checked,
        "problems": values(report.problems),
        "mended": values(report.mended),
        "notes": values(report.notes),
    }


def _print_report(report: Report, root: Path, *, repaired: bool) -> None:
    def short(text: str) -> str:
        return _REVISION.sub(lambda match: match[0][:ID_DIGITS], text.replace(f"{root.absolute()}/", ""))

    for heading, findings in (
        ("mended", report.mended),
        ("problem", report.problems),
        ("note", report.notes),
    ):
        if findings:
            rows = [(f.code, short(f.where), short(f.problem), f.cure) for f in findings[:_MOST_SHOWN]]
            print_table((heading, "where", "what is wrong", "cure"), rows)
            if len(findings) > _MOST_SHOWN:
                typer.echo(f"and {len(findings) - _MOST_SHOWN} more; --json shows all")
            typer.echo("")
    typer.echo(
        f"{report.checked} revisions proved, {len(report.mended)} mended, {len(report.problems)} problems"
    )
    if not repaired and any(f.mend for f in report.problems):
        typer.echo("--repair mends those whose cure says what becomes of them")


def _print_collection(done: Collection, grace_hours: int) -> None:
    tense = "was" if done.applied else "would be"
    rows = [
        ("names forgotten", str(len(done.names)), " ".join(done.names[:_MOST_SHOWN])),
        ("history entries forgotten", str(done.entries), ""),
        (
            "revisions unnamed",
            str(len(done.unnamed)),
            " ".join(r[:ID_DIGITS] for r in done.unnamed[:_MOST_SHOWN]),
        ),
        ("files deleted", str(len(done.deleted)), f"{done.size / _BYTES_PER_MB:.1f} MB"),
        ("files waiting", str(len(done.waiting)), f"until {grace_hours} h after losing their rows"),
    ]
    print_table((f"what {tense} done", "", ""), rows)
    if not done.applied:
        typer.echo("nothing was changed; --apply does it")
