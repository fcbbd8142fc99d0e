"""Rows of text files: JSONL, JSON arrays, CSV and TSV, each also gzipped. UTF-8 only."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from agents.errors import CorpusError
from agents.exclusions import Reason
from agents.rows.row import BadRow, Row, RowSource

_HEAD_ROWS = 1_000  # keys that first occur later than this are not seen as columns
_MAX_FIELD = 10_000_000  # characters in one CSV field; the library's own limit is 131,072


def open_jsonl(path: Path) -> RowSource:
    """One JSON object a line; the columns are the keys of the first 1,000 lines."""
    head = islice(_jsonl_rows(path, ()), _HEAD_ROWS)
    names = dict.fromkeys(name for row in head if isinstance(row, Row) for name in row.values)
    return RowSource(path, "line", tuple(names), partial(_jsonl_rows, path))


def _jsonl_rows(path: Path, _names: tuple[str, ...]) -> Iterator[Row | BadRow]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, Reason.BAD_JSON, f"no JSON: {error}")
            continue
        if isinstance(values, dict):
            yield Row(number, values)
        else:
            yield BadRow(number, Reason.BAD_JSON, f"expected a JSON object; got {type(values).__name__}")


def open_json(path: Path) -> RowSource:
    """One JSON array of objects, read as a whole.

    Raises:
        CorpusError: when the file is anything else.
    """
    try:
        values = json.loads("".join(_lines(path)))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: no JSON: {error}. With one object a line, name it .jsonl.") from error
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise CorpusError(f"{path}: expected a JSON array of objects")
    rows = [Row(number, value) for number, value in enumerate(values, 1)]
    names = dict.fromkeys(name for row in rows for name in row.values)
    return RowSource(path, "row", tuple(names), lambda _names: iter(rows))


def open_csv(path: Path) -> RowSource:
    """A header and its rows; the delimiter is the comma, semicolon or tab that the header has most of.

    Raises:
        CorpusError: for a missing header or two columns of one name.
    """
    _, header = next(_csv_records(path), (1, []))
    if not any(name.strip() for name in header):
        raise CorpusError(f"{path}: no header; expected column names in the first line")
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise CorpusError(f"{path}:1: two columns are called {doubled[0]!r}; rename one")
    return RowSource(path, "line", tuple(header), partial(_csv_rows, path, header))


def _csv_rows(path: Path, header: list[str], _names: tuple[str, ...]) -> Iterator[Row | BadRow]:
    for number, record in islice(_csv_records(path), 1, None):
        if len(record) == len(header):
            yield Row(number, dict(zip(header, record, strict=True)))
        else:
            yield BadRow(number, Reason.BAD_ROW, f"{len(record)} fields; the header has {len(header)}")


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Records with the line each begins on; blank lines are passed over."""
    header = next(_lines(path), "")
    delimiter = max(",;\t", key=header.count)
    csv.field_size_limit(_MAX_FIELD)
    reader = csv.reader(_lines(path), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for record in reader:
            if record:
                yield begins, record
            begins = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(
            f"{path}:{begins}: broken CSV ({error}). A quotation mark inside a field must be doubled "
            "and the field quoted."
        ) from error


def _lines(path: Path) -> Iterator[str]:
    """Decoded lines with their ends; a byte order mark is dropped."""
    offset = 0
    try:
        with _opened(path) as stream:
            for number, raw in enumerate(stream, 1):
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise CorpusError(
                        f"{path}:{number}: not UTF-8 (byte 0x{raw[error.start]:02x} at offset "
                        f"{offset + error.start}). Save the file as UTF-8."
                    ) from error
                yield line.removeprefix("\ufeff") if number == 1 else line
                offset += len(raw)
    except EOFError as error:
        raise CorpusError(f"{path}: truncated gzip, it ends too early. Copy or compress it again.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise CorpusError(f"{path}: not a sound gzip file ({error}). Compress it again.") from error


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")
