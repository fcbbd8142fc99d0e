"""Texts with a label each, from a file of any format that corpora come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from agents.columns import USUAL_NAMES
from agents.errors import CorpusError
from agents.rows import Row, open_rows
from agents.text import clean_text


@dataclass(frozen=True)
class LabelledTexts:
    """What a file held.

    Args:
        texts: [n], cleaned.
        labels: [n]; empty strings where no label was asked for.
        users: [n], or None where no user column was named.
        left_out: rows without a text, a label or a user, or that could not be read.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    users: tuple[str, ...] | None
    left_out: int

    def sample(self, most: int | None, rng: np.random.Generator) -> LabelledTexts:
        """At most so many rows, drawn without replacement, in their order; None keeps all."""
        if most is None or most >= len(self.texts):
            return self
        rows = np.sort(rng.choice(len(self.texts), most, replace=False))
        return LabelledTexts(
            tuple(self.texts[i] for i in rows),
            tuple(self.labels[i] for i in rows),
            None if self.users is None else tuple(self.users[i] for i in rows),
            self.left_out,
        )


def read_labelled(
    path: Path,
    *,
    text: str | None = None,
    label: str | None = None,
    user: str | None = None,
    needs_label: bool = True,
    needs_user: bool = False,
) -> LabelledTexts:
    """Read one labelled text a row.

    Args:
        path: CSV, TSV, JSON, JSONL (each also .gz), Parquet or SQLite, told apart by the ending.
        text: column of the text; None finds it by its usual names.
        label: column of the label; None finds it by its usual names.
        user: column of the author.
        needs_label: false reads texts without labels.
        needs_user: whether None finds the author by its usual names, instead of leaving authors unknown.

    Raises:
        CorpusError: for a file that cannot be read, a column that is absent or ambiguous, or no usable row.
    """
    source = open_rows(path)
    text = _column(path, "text", text, source.names, USUAL_NAMES["text"])
    columns = [text]
    if needs_label:
        label = _column(path, "label", label, source.names, USUAL_NAMES["side"])
        columns.append(label)
    if user is not None or needs_user:
        user = _column(path, "user", user, source.names, USUAL_NAMES["user"])
        columns.append(user)
    rows: list[list[str]] = []
    left_out = 0
    for row in source.read(tuple(columns)):
        _, cells = row if isinstance(row, Row) else (0, {})
        values = [_plain(cells.get(name)) for name in columns]
        if all(values):
            rows.append(values)
        else:
            left_out += 1
    if not rows:
        raise CorpusError(f"{path}: no row with {' and '.join(columns)}; {left_out} rows were left out")
    by_column = dict(zip(columns, zip(*rows, strict=True), strict=True))
    return LabelledTexts(
        texts=by_column[text],
        labels=by_column[label] if needs_label and label else ("",) * len(rows),
        users=by_column[user] if user else None,
        left_out=left_out,
    )


def read_columns(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    """Some columns of a file as they are; what is empty is missing.

    Raises:
        CorpusError: for a file that cannot be read, a column that is not there, or a row that cannot be read.
    """
    source = open_rows(path)
    for name in names:
        _column(path, name, name, source.names, ())
    rows = []
    for row in source.read(names):
        if not isinstance(row, Row):
            raise CorpusError(f"{source.place(row.number)}: {row.message}")
        _, cells = row
        rows.append({name: None if cells.get(name) in ("", None) else cells[name] for name in names})
    return pd.DataFrame(rows, columns=list(names))


def _plain(value: object) -> str:
    return "" if value is None else clean_text(str(value))


def _column(path: Path, what: str, asked: str | None, found: tuple[str, ...], usual: tuple[str, ...]) -> str:
    if asked is None:
        matches = [name for name in found if name.strip().lower() in usual]
        if len(matches) == 1:
            return matches[0]
        problem = f"columns {' and '.join(matches)} could all be it" if matches else "none has a usual name"
    elif asked in found:
        return asked
    else:
        problem = f"no column {asked!r}"
    raise CorpusError(
        f"{path}: column of the {what}: {problem}; there are {', '.join(found)}. Name it: --{what}"
    )
