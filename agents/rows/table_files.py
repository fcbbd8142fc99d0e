"""Rows of table files: Parquet and SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from agents.errors import CorpusError
from agents.rows.row import BadRow, Row, RowSource


def open_parquet(path: Path) -> RowSource:
    """A Parquet file; only the columns asked for are read.

    Raises:
        CorpusError: when the file is no sound Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
    except pa.ArrowException as error:
        raise CorpusError(f"{path}: not a sound Parquet file ({error})") from error
    return RowSource(path, "row", names, partial(_parquet_rows, path))


def _parquet_rows(path: Path, names: tuple[str, ...]) -> Iterator[Row | BadRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=list(names)):
                for values in _in_microseconds(batch).to_pylist():
                    number += 1
                    yield Row(number, values)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise CorpusError(f"{path}: unreadable after row {number} ({error})") from error


def _in_microseconds(batch: Any) -> Any:  # pyarrow ships no types
    """Nanosecond columns cut to microseconds, which is as fine as Python's own times are."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp("us", field.type.tz))
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns"
        else field
        for field in batch.schema
    ]
    return pa.Table.from_batches([batch]).cast(pa.schema(fields), safe=False)


def open_sqlite(path: Path, table: str | None) -> RowSource:
    """One table or view of an SQLite file, opened for reading only.

    Raises:
        CorpusError: for a file that is no database, an absent table, or several tables and none named.
    """
    try:
        with closing(_connected(path)) as database:
            table = _table(database, path, table)
            names = tuple(row[1] for row in database.execute(f"PRAGMA table_xinfo({_quoted(table)})"))
    except sqlite3.DatabaseError as error:
        raise CorpusError(f"{path}: not a sound SQLite database ({error})") from error
    return RowSource(path, "row", names, partial(_sqlite_rows, path, table))


def _sqlite_rows(path: Path, table: str, names: tuple[str, ...]) -> Iterator[Row | BadRow]:
    select = f"SELECT {', '.join(map(_quoted, names))} FROM {_quoted(table)}"
    number = 0
    try:
        with closing(_connected(path)) as database:
            for number, values in enumerate(database.execute(select), 1):
                yield Row(number, dict(zip(names, values, strict=True)))
    except sqlite3.DatabaseError as error:  # text that is not UTF-8 arrives here too
        raise CorpusError(f"{path}: table {table!r}, row {number + 1}: {error}") from error


def _table(database: sqlite3.Connection, path: Path, asked: str | None) -> str:
    listing = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' "
    tables = [name for (name,) in database.execute(listing + "ESCAPE '\\' ORDER BY name")]
    if asked in tables:
        return str(asked)
    listed = ", ".join(map(repr, tables)) or "none"
    if asked is not None:
        raise CorpusError(f"{path}: no table {asked!r}; the database has {listed}")
    if len(tables) != 1:
        raise CorpusError(f"{path}: which table? The database has {listed}; name one with table:")
    return str(tables[0])


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
