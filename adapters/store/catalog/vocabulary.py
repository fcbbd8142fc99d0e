"""The words by which a store can be searched: names of bases and of metrics."""

from __future__ import annotations

import sqlite3


def base_names(db: sqlite3.Connection) -> list[str]:
    """What bases are called, in order."""
    return [row[0] for row in db.execute("SELECT DISTINCT name FROM bases ORDER BY name")]


def metric_names(db: sqlite3.Connection) -> list[str]:
    """Numbers that manifests or evidence give, in order."""
    return [row[0] for row in db.execute("SELECT name FROM metrics ORDER BY name")]
