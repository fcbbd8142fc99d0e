"""`plures adapters activate`: a new revision serves only after it has answered a canary."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from sim.cli.adapter_options import DEFAULT_STORE, AsJson, StoreFolder, print_json, print_table

_WARM_BYTES = 256 << 20


def activate(
    refs: Annotated[
        list[str],
        typer.Argument(help="Policy records: NAME for its head, or NAME@DIGITS.", show_default=False),
    ],
    base: Annotated[
        str | None,
        typer.Option(help="Profile or folder of the base; what the store knows as its name by default."),
    ] = None,
    only_ready: Annotated[
        bool, typer.Option("--only-ready", help="Load and try them, but leave what serves as it is.")
    ] = False,
    store: StoreFolder = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Load revisions, let each answer a canary request, then send their records' requests to them.

    Exit status 1 when any failed; what served its record goes on serving.

    Example: plures adapters activate town-hall.ada --store runs/store
    """
    from adapters.bases.loader import load_base
    from adapters.engines.activation import Outcome, make_ready
    from adapters.engines.activation import activate as activate_all
    from adapters.engines.canary import Canary
    from adapters.engines.gated import GatedEngine, Gates
    from adapters.engines.local import LocalEngine
    from adapters.engines.protocol import Message
    from adapters.errors import StoreError
    from adapters.store import AdaptersFor, AdapterStore
    from adapters.store.tiers.reader import TieredAdapters
    from sim.cli.console import progress_bars

    opened = AdapterStore(store)
    for name, count in Counter(ref.partition("@")[0] for ref in refs).items():
        opened.policy(name)
        if count > 1:
            raise StoreError(f"{name}: named {count} times; only one revision of a record can serve")
    revisions = {ref.partition("@")[0]: opened.resolve(ref) for ref in refs}
    loaded = load_base(base or opened.row(next(iter(revisions.values()))).base_name)
    tiers = TieredAdapters(AdaptersFor(loaded, opened), warm_bytes=_WARM_BYTES, queue=16)
    gates = Gates(Canary((Message("user", "Hello"),)), per_batch=16)
    engine = GatedEngine(LocalEngine(loaded, tiers), tiers, opened.states, gates)
    with progress_bars() as watcher:
        task = "trying adapters"
        watcher.begin(task, len(set(revisions.values())))
        try:
            if only_ready:
                objections = make_ready(engine, opened, revisions, lambda n: watcher.advance(task, n))
                outcomes = [Outcome(n, r, None, objections[n]) for n, r in revisions.items()]
            else:
                outcomes = activate_all(engine, opened, revisions, lambda n: watcher.advance(task, n))
        finally:
            engine.close()
            tiers.close()
    good = "ready" if only_ready else "served"
    if as_json:
        print_json(
            [outcome._asdict() | {"state": opened.states.of(outcome.revision)} for outcome in outcomes]
        )
    else:
        rows = [(o.name, o.revision[:12], o.objection or good, (o.replaced or "")[:12]) for o in outcomes]
        print_table(("name", "revision", "outcome", "replaced"), rows)
    if any(outcome.objection for outcome in outcomes):
        raise typer.Exit(1)
