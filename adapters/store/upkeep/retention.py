"""What keeps a revision in a store, and what a user may let go; inside the caller's transaction.

A revision stays while anything names it: the head or the history of a name, what a name serves, a tag, the
point where a branch began, a rollout or evaluation record, the saved state of a training, a serving state
(prewarming, ready, served), or a revision that stays and was trained from it. The user may let go of old
history, of names retired long ago, and of ancestors that only their descendants name.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_DAYS = 36_500
"""A hundred years; longer waits are slips of the pen."""

_SERVING = ("prewarming", "ready", "served")

_NAMED = f"""
    SELECT head FROM records
    UNION SELECT served FROM records WHERE served IS NOT NULL
    UNION SELECT parent_revision FROM records WHERE parent_revision IS NOT NULL
    UNION SELECT revision FROM history
    UNION SELECT revision FROM tags
    UNION SELECT revision FROM evidence
    UNION SELECT id FROM revisions WHERE state IN {_SERVING}
    UNION SELECT r.id FROM sessions s JOIN revisions r ON r.revision = s.parent WHERE s.file IS NOT NULL
"""
_WITH_ANCESTORS = f"""
    WITH RECURSIVE kept (id) AS (
        SELECT * FROM ({_NAMED})
        UNION SELECT p.id FROM kept k JOIN revisions r ON r.id = k.id JOIN revisions p ON p.revision = r.parent
    )
"""
_WITHOUT_ANCESTORS = f"WITH kept (id) AS ({_NAMED})"

# Of names retired before ?, those that no branch and no saved training still needs
_FORGOTTEN = """
    SELECT id, name FROM records r WHERE retired_at < ?
    AND NOT EXISTS (SELECT 1 FROM records b WHERE b.parent = r.id)
    AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.name = r.name AND s.file IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """What a user keeps although nothing current needs it; by default everything that has a name.

    Args:
        history: entries of each name's history to keep, the head included, at least 1; None keeps all.
        retired_days: forget names that were retired at least so many days ago, with their history; 0 to
            36,500; None forgets none.
        ancestors: keep the revisions that a kept one was trained from, directly or not.

    Raises:
        ValueError: for a number out of range.
    """

    history: int | None = None
    retired_days: float | None = None
    ancestors: bool = True

    def __post_init__(self) -> None:
        if self.history is not None and self.history < 1:
            raise ValueError(f"history: got {self.history}; expected at least 1, the head")
        if self.retired_days is not None and not 0 <= self.retired_days <= MOST_DAYS:
            raise ValueError(f"retired_days: got {self.retired_days}; expected 0 to {MOST_DAYS} days")


def forget_names(db: sqlite3.Connection, retention: Retention, now: datetime) -> list[str]:
    """Remove the records of names retired long enough ago, with their history; returns the names."""
    if retention.retired_days is None:
        return []
    before = (now - timedelta(days=retention.retired_days)).isoformat(timespec="microseconds")
    names: list[str] = []
    while found := db.execute(_FORGOTTEN, (before,)).fetchall():  # the end of a branch frees its beginning
        db.executemany("DELETE FROM history WHERE record = ?", [(record,) for record, _ in found])
        db.executemany("DELETE FROM records WHERE id = ?", [(record,) for record, _ in found])
        names += [name for _, name in found]
    return sorted(names)


def forget_history(db: sqlite3.Connection, retention: Retention) -> int:
    """Remove the entries of histories that are longer than wanted, oldest first; returns how many."""
    if retention.history is None:
        return 0
    query = """
        DELETE FROM history
        WHERE sequence <= (SELECT sequence FROM records WHERE id = history.record) - ?"""
    return db.execute(query, (retention.history,)).rowcount


def unnamed_revisions(db: sqlite3.Connection, retention: Retention) -> list[str]:
    """Revisions that nothing names any more, in order of id."""
    kept = _WITH_ANCESTORS if retention.ancestors else _WITHOUT_ANCESTORS
    query = f"{kept} SELECT revision FROM revisions WHERE id NOT IN (SELECT id FROM kept) ORDER BY revision"
    return [row[0] for row in db.execute(query)]


def empty_packs(db: sqlite3.Connection) -> list[str]:
    """Packs without a revision, as paths below the store's folder."""
    query = "SELECT file FROM packs p WHERE NOT EXISTS (SELECT 1 FROM revisions WHERE pack = p.id) ORDER BY 1"
    return [row[0] for row in db.execute(query)]
