"""Files of rows in any of the formats that corpora come in; a table from name ending to reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.errors import CorpusError
from agents.rows.row import BadRow, Row, RowSource
from agents.rows.table_files import open_parquet, open_sqlite
from agents.rows.text_files import open_csv, open_json, open_jsonl

__all__ = ["BadRow", "Row", "RowSource", "open_rows"]

_READERS: dict[str, Callable[[Path], RowSource]] = {
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    ".jsonl.gz": open_jsonl,
    ".ndjson.gz": open_jsonl,
    ".json": open_json,
    ".csv": open_csv,
    ".csv.gz": open_csv,
    ".tsv": open_csv,
    ".tsv.gz": open_csv,
    ".parquet": open_parquet,
}
_DATABASES = (".sqlite", ".sqlite3", ".db")


def open_rows(path: Path, table: str | None = None) -> RowSource:
    """Open a file of rows, by the ending of its name.

    Args:
        path: the file.
        table: which table of an SQLite file; None takes the only one.

    Raises:
        CorpusError: for a file that is missing, empty, unreadable, broken or of an unknown ending, or a
            table named for a file that has none.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    ending = "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()
    try:
        if path.stat().st_size == 0:
            raise CorpusError(f"{path}: the file is empty")
        if ending in _DATABASES:
            return open_sqlite(path, table)
        if ending not in _READERS:
            known = ", ".join((*_READERS, *_DATABASES))
            raise CorpusError(f"{path}: unknown ending {ending!r}; expected one of {known}")
        if table is not None:
            raise CorpusError(f"{path}: table {table!r} is asked for, but only SQLite files have tables")
        return _READERS[ending](path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error})") from error
