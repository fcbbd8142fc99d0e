"""Rows of any file, one by one, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from agents.exclusions import Reason


class Row(NamedTuple):
    """One readable row; `number` counts from 1 in the unit of its source."""

    number: int
    values: Mapping[str, object]


class BadRow(NamedTuple):
    """One row that could not be read, while the rest of the file could."""

    number: int
    reason: Reason
    message: str


@dataclass(frozen=True)
class RowSource:
    """An opened file.

    Args:
        path: the file.
        unit: what row numbers count: lines of a text, rows of a table.
        names: its columns.
        read: yields the rows again from the start at each call, with at least the columns named.
    """

    path: Path
    unit: Literal["line", "row"]
    names: tuple[str, ...]
    read: Callable[[tuple[str, ...]], Iterator[Row | BadRow]]

    def place(self, number: int) -> str:
        """`posts.jsonl:17` or `posts.parquet, row 17`."""
        return f"{self.path.name}:{number}" if self.unit == "line" else f"{self.path.name}, row {number}"
