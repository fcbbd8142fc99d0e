"""Bringing a catalog of an earlier version up to date, in one transaction that keeps everything.

Version 1 had names, but no policy records, and of an adapter's shape the rank only. The rest is read from the
revisions' own files; what cannot be read there, because it is damaged, stays unknown.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from adapters.errors import StoreError
from adapters.safetensors_header import TensorPlace, read_header
from adapters.store.catalog.queries import RevisionRow, put_revision
from adapters.store.catalog.schema import SCHEMA
from adapters.store.catalog.shape import Linear, Shape, shape
from adapters.store.layout import StoreLayout
from adapters.untrusted import open_regular, read_regular

_TABLES = ("revisions", "history", "tags")
_INDICES = ("revisions_by_training_key", "history_by_revision", "tags_by_revision")
_FACTOR = re.compile(r"base_model\.model\.(?P<path>.+)\.lora_(?P<factor>[AB])\.weight")

_HEADS = """
    SELECT name, min(published_at), max(sequence) FROM old_history GROUP BY name ORDER BY name"""


class _Contents(NamedTuple):
    """What a revision's own files say."""

    shape: Shape
    metrics: Mapping[str, float]


def from_version_1(db: sqlite3.Connection, layout: StoreLayout) -> None:
    """Replace the tables of version 1 by those of version 2, inside the caller's transaction.

    Raises:
        StoreError: when a row cannot be kept; the caller undoes everything.
    """
    for index in _INDICES:
        db.execute(f"DROP INDEX {index}")
    for table in _TABLES:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    for statement in SCHEMA:
        db.execute(statement)
    for row in db.execute("SELECT * FROM old_revisions ORDER BY created_at, revision").fetchall():
        _copy_revision(db, row, layout)
    for name, created_at, last in db.execute(_HEADS).fetchall():
        _copy_record(db, name, created_at, last)
    db.execute(
        "INSERT INTO tags SELECT tag, v.id, v.created_at FROM old_tags t JOIN revisions v USING (revision)"
    )
    for table in reversed(_TABLES):
        _check_complete(db, table, layout)
        db.execute(f"DROP TABLE old_{table}")


def _check_complete(db: sqlite3.Connection, table: str, layout: StoreLayout) -> None:
    """A row that names what is not there would be lost on the way."""
    query = f"SELECT (SELECT count(*) FROM old_{table}), (SELECT count(*) FROM {table})"
    before, after = db.execute(query).fetchone()
    if before != after:
        raise StoreError(
            f"{layout.catalog}: {before - after} of {before} rows of its table {table} name what is not there, so "
            f"it cannot be brought to the present version and was left as it is. Restore it from a backup."
        )


def _copy_revision(db: sqlite3.Connection, row: tuple[Any, ...], layout: StoreLayout) -> None:
    revision, base_name, fingerprint, kind, rank, *rest = row
    contents = _contents(layout.folder(revision), rank)
    copied = RevisionRow(revision, base_name, fingerprint, contents.shape, None, kind, *rest)
    put_revision(db, copied, contents.metrics)


def _copy_record(db: sqlite3.Connection, name: str, created_at: str, last: int) -> None:
    """A name becomes a policy record; that of a pooled or zero adapter is no person's."""
    db.execute(
        "INSERT INTO records (name, kind, person, base, shape, head, sequence, created_at) "
        "SELECT h.name, CASE v.kind WHEN 'personal' THEN 'person' ELSE 'role' END, '', v.base, v.shape, v.id, "
        "h.sequence, ? FROM old_history h JOIN revisions v USING (revision) WHERE h.name = ? AND h.sequence = ?",
        (created_at, name, last),
    )
    db.execute(
        "INSERT INTO history SELECT r.id, h.sequence, v.id, 'publish', h.published_at "
        "FROM old_history h JOIN records r USING (name) JOIN revisions v ON v.revision = h.revision "
        "WHERE h.name = ?",
        (name,),
    )


def _contents(folder: Path, rank: int) -> _Contents:
    """Damage is no reason to refuse the whole store; reading the revision will name it."""
    try:
        metrics = json.loads(read_regular(folder / "manifest.json"))["manifest"]["metrics"]
        weights = folder / "adapter_model.safetensors"
        with open_regular(weights) as file:
            header = read_header(file, weights.stat().st_size)
        found = _shape(header.tensors, rank)
        return _Contents(found, {str(key): float(value) for key, value in metrics.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return _Contents(Shape(rank), {})


def _shape(tensors: Mapping[str, TensorPlace], rank: int) -> Shape:
    widths: dict[str, dict[str, int]] = {}
    dtypes = set()
    for name, tensor in tensors.items():
        if match := _FACTOR.fullmatch(name):
            # A: (r, d_in), B: (d_out, r)
            width = tensor.shape[1 if match["factor"] == "A" else 0]
            widths.setdefault(match["path"], {})[match["factor"]] = width
            dtypes.add(tensor.dtype)
    linears = [Linear(path, width["A"], width["B"]) for path, width in widths.items()]
    return shape(rank, linears, dtypes.pop())
