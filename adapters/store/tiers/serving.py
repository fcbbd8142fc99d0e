"""Two-phase activation: a new revision is made ready beside the one that serves, then requests go over to it.

Publishing moves a record's head and nothing else. Requests to a name go to the revision that was activated last,
so that no request ever waits for one that is still being loaded or tried. Source: two-phase activation as in
MinT, arXiv 2605.13779; that the revision replaced stays ready, for a quick way back, is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from adapters.errors import StateError, UnknownAdapterError
from adapters.store.catalog import lineage, policies
from adapters.store.catalog.references import named_record
from adapters.store.catalog.states import State, advance, state_of
from adapters.store.drafts import utc_now

if TYPE_CHECKING:
    from adapters.store.catalog.file import Catalog

_PHASE_TWO: tuple[State, ...] = ("ready", "served")


class Activation(NamedTuple):
    """A change of what serves; `replaced` is the revision that served before, or None."""

    name: str
    revision: str
    replaced: str | None


class Serving:
    """Which revision of each policy record requests go to.

    Args:
        catalog: where it is kept.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def revision(self, name: str) -> str | None:
        """The revision that requests to a name go to; None while nothing serves it.

        Raises:
            UnknownAdapterError: no such record.
        """
        with self._catalog.reading() as db:
            named_record(db, name)
            return lineage.served_revision(db, name)

    def activate(self, name: str, revision: str, reason: str = "activated") -> Activation:
        """Let requests to a name go to a ready revision of its record, from one moment to the next.

        The revision that served before is ready again, unless another record still sends requests to it. Doing it
        twice changes nothing.

        Args:
            name: of the record.
            revision: full id, from the record's history; see `GatedEngine` for how it becomes ready.
            reason: one line for the log of states.

        Raises:
            StateError: it is not ready; nothing changed.
            UnknownAdapterError: no such record, or the revision is not in its history.
            RetiredError: the record is retired.
        """
        now = utc_now()
        with self._catalog.writing() as db:
            record = named_record(db, name)
            policies.check_live(name, record.retired_at, record.head)
            if revision not in policies.past(db, name):
                raise UnknownAdapterError(
                    f"{revision}: is not in the history of {name!r}; publish it under that name first"
                )
            state = state_of(db, revision)
            if state not in _PHASE_TWO:
                raise StateError(
                    f"{revision}: is {state}, and only a revision that is ready can be activated; prewarm it first, "
                    f"as `plures adapters activate {name}` does"
                )
            replaced = lineage.served_revision(db, name)
            if replaced == revision:
                return Activation(name, revision, None)
            if state == "ready":
                advance(db, revision, "served", reason, now)
            lineage.stop_serving(db, name, f"replaced by {revision[:12]} for {name}", now)
            db.execute(
                "UPDATE records SET served = (SELECT id FROM revisions WHERE revision = ?) WHERE name = ?",
                (revision, name),
            )
        return Activation(name, revision, replaced)

    def withdraw(self, name: str, reason: str = "withdrawn") -> str | None:
        """Send requests to a name nowhere; returns the revision that served, which is ready again.

        Raises:
            UnknownAdapterError: no such record.
        """
        with self._catalog.writing() as db:
            named_record(db, name)
            return lineage.stop_serving(db, name, reason, utc_now())
