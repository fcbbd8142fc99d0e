"""Activating revisions in two phases: make each ready behind the gates, then send its record's requests there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from adapters.engines.gated import ADMITTED, GatedEngine
from adapters.errors import NotReadyError, StateError
from adapters.store.store import AdapterStore


class Outcome(NamedTuple):
    """What became of one activation.

    Args:
        name: of the policy record.
        revision: that was to serve.
        replaced: revision that served before, or None.
        objection: why it does not serve; None when it does.
    """

    name: str
    revision: str
    replaced: str | None
    objection: str | None


def make_ready(
    engine: GatedEngine,
    store: AdapterStore,
    revisions: Mapping[str, str],
    on_judged: Callable[[int], None] = lambda _: None,
) -> dict[str, str | None]:
    """Phase one: load revisions and let them answer their canaries, a few at a time.

    Args:
        engine: over the same store.
        store: where the states are kept.
        revisions: name → revision.
        on_judged: takes the number of revisions judged so far.

    Returns:
        Name → why its revision is not ready, None where it is.

    Raises:
        StateError: a revision is retired.
        UnknownAdapterError: no such revision.
    """
    distinct = list(dict.fromkeys(revisions.values()))
    waiting = [revision for revision in distinct if store.states.of(revision) not in ADMITTED]
    while waiting or engine.prewarming:
        while waiting and _begun(engine, waiting[0]):
            waiting.pop(0)
        engine.settle()
        on_judged(len(distinct) - len(waiting) - len(engine.prewarming))
    states = store.states.of_each(distinct)
    return {
        name: None if states[revision] in ADMITTED else store.states.log(revision)[-1].reason
        for name, revision in revisions.items()
    }


def activate(
    engine: GatedEngine,
    store: AdapterStore,
    revisions: Mapping[str, str],
    on_judged: Callable[[int], None] = lambda _: None,
) -> list[Outcome]:
    """Both phases, for many records; one that fails leaves what served its record in place.

    Args:
        engine: over the same store.
        store: where states and records are kept.
        revisions: name of the record → revision of its history.
        on_judged: takes the number of revisions judged so far.

    Returns:
        One outcome for each name, in order.

    Raises:
        StateError: a revision is retired.
        RetiredError: a record is.
        UnknownAdapterError: no such record, or a revision not in its history.
    """
    objections = make_ready(engine, store, revisions, on_judged)
    return [_activated(store, name, revision, objections[name]) for name, revision in revisions.items()]


def _activated(store: AdapterStore, name: str, revision: str, objection: str | None) -> Outcome:
    """Phase two for one record, unless somebody has moved its revision on since it was ready."""
    if objection is not None:
        return Outcome(name, revision, None, objection)
    try:
        return Outcome(name, revision, store.serving.activate(name, revision).replaced, None)
    except StateError as error:
        return Outcome(name, revision, None, str(error))


def _begun(engine: GatedEngine, revision: str) -> bool:
    try:
        engine.prewarm(revision)
    except NotReadyError:
        return False
    return True
