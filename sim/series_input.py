"""Real opinions from a CSV: dated stances of people, or dated shares of a group."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sim.errors import SeriesError

USUAL_COLUMNS = {
    "time": ("time", "date", "modeldate", "created_at", "day", "timestamp"),
    "user": ("user_id", "user", "author_id", "author", "person", "respondent"),
    "stance": ("stance", "opinion", "attitude", "score"),
    "approve": ("approve", "approve_estimate", "approval", "favor", "support"),
    "disapprove": ("disapprove", "disapprove_estimate", "disapproval", "against", "oppose"),
}
"""Names that are found without being told, in the order of preference; upper and lower case are the same."""

STANCE_FIELDS = ("time", "user", "stance")
SHARE_FIELDS = ("time", "approve", "disapprove")
_DATES = ("%m/%d/%Y", "%m/%d/%y")


@dataclass(frozen=True, eq=False)
class Statements:
    """Dated stances of people, in the order of time.

    Args:
        source: the file.
        frame: columns time (float: as given, or days since 1970), user (text), value (stance in [−1, 1]).
        classes: the stances that were mapped from classes, rising; empty where stances are numbers.
        dated: times were dates, and are days since 1970 now.
    """

    source: str
    frame: pd.DataFrame
    classes: tuple[float, ...]
    dated: bool = False


@dataclass(frozen=True, eq=False)
class Shares:
    """Dated shares of a group, in the order of time.

    Args:
        source: the file.
        frame: columns time (as for `Statements`), approve, disapprove: shares in [0, 1], at most 1 together.
        dated: as for `Statements`.
    """

    source: str
    frame: pd.DataFrame
    dated: bool = False


class _Row(NamedTuple):
    line: int
    cells: dict[str, str]


def read_series(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    classes: Mapping[str, float] | None = None,
    where: Mapping[str, str] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Statements | Shares:
    """Read a CSV (or TSV) with a header.

    With a column of stances it is `Statements`, with columns of approval and disapproval `Shares`. Shares may be
    given in per cent: they are, wherever one of them exceeds 1. Times are numbers, ISO dates or M/D/YYYY.

    Args:
        path: the file, UTF-8.
        columns: field (`time`, `user`, `stance`, `approve`, `disapprove`) → column, where the name is unusual.
        classes: class in the stance column → stance in [−1, 1].
        where: column → value: only such rows.
        since: only rows of this time or later, written as in the file.
        until: only rows of this time or earlier.

    Raises:
        SeriesError: naming file, line and column, what was expected and a way out.
    """
    header, rows = _rows(path)
    chosen = _columns(path, header, columns or {})
    for column, value in (where or {}).items():
        if column not in header:
            raise SeriesError(f"{path}: no column {column!r} to choose rows by; it has {', '.join(header)}")
        there = sorted({row.cells[column] for row in rows})
        rows = [row for row in rows if row.cells[column] == value]
        if not rows:
            raise SeriesError(f"{path}: no row with {column}={value}; there are {', '.join(there[:10])}")
    if not rows:
        raise SeriesError(f"{path}: a header and no rows")
    times = _times(path, rows, chosen["time"])
    dated = _number(rows[0].cells[chosen["time"]]) is None
    rows, times = _between(path, rows, times, dated=dated, since=since, until=until)
    if "stance" in chosen:
        return _statements(path, rows, chosen, times, classes or {}, dated=dated)
    return _shares(path, rows, chosen, times, header, dated=dated)


def _rows(path: Path) -> tuple[list[str], list[_Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            head = handle.readline()
            handle.seek(0)
            delimiter = max(",\t;", key=head.count)
            reader = csv.reader(handle, delimiter=delimiter)
            header = [name.strip() for name in next(reader, [])]
            if not any(header):
                raise SeriesError(f"{path}: empty; expected a header line and rows")
            if twice := sorted({name for name in header if name and header.count(name) > 1}):
                raise SeriesError(f"{path}: two columns {twice[0]!r}; expected every name once. Rename one.")
            rows = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise SeriesError(
                        f"{path}:{reader.line_num}: {len(cells)} cells; expected {len(header)}, as in the header"
                    )
                rows.append(_Row(reader.line_num, dict(zip(header, cells, strict=True))))
            return header, rows
    except FileNotFoundError as error:
        raise SeriesError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise SeriesError(f"{path}: is a folder; expected a CSV or TSV file") from error
    except UnicodeDecodeError as error:
        raise SeriesError(f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    except csv.Error as error:
        raise SeriesError(f"{path}: no CSV ({error})") from error


def _columns(path: Path, header: Sequence[str], asked: Mapping[str, str]) -> dict[str, str]:
    """Field → column: what was asked for, else the usual names; stances win over shares unless shares are asked."""
    lower = {name.lower(): name for name in reversed(header)}
    found = {
        field: next(lower[name] for name in usual if name in lower)
        for field, usual in USUAL_COLUMNS.items()
        if any(name in lower for name in usual)
    }
    for field, column in asked.items():
        if field not in USUAL_COLUMNS:
            raise SeriesError(f"--column {field}={column}: expected a field of {', '.join(USUAL_COLUMNS)}")
        if column not in header:
            raise SeriesError(f"{path}: no column {column!r} for {field}; it has {', '.join(header)}")
        found[field] = column
    by_shares = {"approve", "disapprove"} & set(asked) or not {"user", "stance"} <= found.keys()
    wanted = SHARE_FIELDS if by_shares and "stance" not in asked else STANCE_FIELDS
    if missing := [field for field in wanted if field not in found]:
        raise SeriesError(
            f"{path}: no column for {', '.join(missing)}; it has {', '.join(header)}. Name them, for example "
            f"--column {missing[0]}={header[-1]}; expected {', '.join(STANCE_FIELDS)} or {', '.join(SHARE_FIELDS)}"
        )
    return {field: found[field] for field in wanted}


def _times(path: Path, rows: Sequence[_Row], column: str) -> list[float]:
    numbers = _number(rows[0].cells[column]) is not None
    times = []
    for row in rows:
        text = row.cells[column].strip()
        value = _number(text) if numbers else _date(text)
        if value is None:
            expected = "a number, as on the first line" if numbers else "a number, an ISO date or M/D/YYYY"
            raise SeriesError(f"{path}:{row.line}: {column}: got {text!r}; expected {expected}")
        times.append(value)
    return times


def _between(
    path: Path, rows: list[_Row], times: list[float], *, dated: bool, since: str | None, until: str | None
) -> tuple[list[_Row], list[float]]:
    low = -np.inf if since is None else _bound("--since", since, dated=dated)
    high = np.inf if until is None else _bound("--until", until, dated=dated)
    kept = [place for place, time in enumerate(times) if low <= time <= high]
    if not kept:
        raise SeriesError(f"{path}: no row between {since or 'the beginning'} and {until or 'the end'}")
    return [rows[place] for place in kept], [times[place] for place in kept]


def _bound(option: str, text: str, *, dated: bool) -> float:
    value = _date(text) if dated else _number(text)
    if value is None:
        expected = "an ISO date or M/D/YYYY" if dated else "a number"
        raise SeriesError(f"{option} {text}: expected {expected}, as times are in the file")
    return value


def _statements(
    path: Path,
    rows: Sequence[_Row],
    chosen: Mapping[str, str],
    times: Sequence[float],
    classes: Mapping[str, float],
    *,
    dated: bool,
) -> Statements:
    for name, value in classes.items():
        if not -1 <= value <= 1:
            raise SeriesError(f"class {name}={value}: expected a stance in [-1, 1]")
    known = {_plain(name): value for name, value in classes.items()}
    expected = f"one of the classes {', '.join(classes)}" if known else "a number in [-1, 1]"
    values: list[float] = []
    for row in rows:
        text = row.cells[chosen["stance"]].strip()
        stance = known.get(_plain(text)) if known else _number(text)
        if stance is None or not -1 <= stance <= 1:
            raise SeriesError(
                f"{path}:{row.line}: {chosen['stance']}: got {text!r}; expected {expected}. "
                "Map classes, for example --class against=-1 --class none=0 --class favor=1"
            )
        values.append(stance)
    users = [_plain(row.cells[chosen["user"]]) for row in rows]
    frame = pd.DataFrame({"time": times, "user": users, "value": values})
    ordered = frame.sort_values("time", kind="stable", ignore_index=True)
    return Statements(str(path), ordered, tuple(sorted(set(known.values()))), dated)


def _shares(
    path: Path,
    rows: Sequence[_Row],
    chosen: Mapping[str, str],
    times: Sequence[float],
    header: Sequence[str],
    *,
    dated: bool,
) -> Shares:
    values = np.array([[_share(path, row, chosen[field]) for field in SHARE_FIELDS[1:]] for row in rows])
    if values.max() > 1:
        values = values / 100.0
    beyond = np.flatnonzero(values.sum(axis=1) > 1 + 1e-9)
    if len(beyond):
        line = rows[int(beyond[0])].line
        raise SeriesError(
            f"{path}:{line}: {chosen['approve']} and {chosen['disapprove']} add up to more than 100%"
        )
    frame = pd.DataFrame({"time": times, "approve": values[:, 0], "disapprove": values[:, 1]})
    if frame["time"].duplicated().any():
        place = int(np.flatnonzero(frame["time"].duplicated())[0])
        here, before = rows[place], rows[times.index(times[place])]
        free = [n for n in header if n not in chosen.values() and here.cells[n] != before.cells[n]]
        hint = f" Choose rows, for example --where {free[0]}={here.cells[free[0]]}." if free else ""
        raise SeriesError(
            f"{path}:{here.line}: {chosen['time']}: a second row for the time of line {before.line}; expected one "
            f"group.{hint}"
        )
    return Shares(str(path), frame.sort_values("time", ignore_index=True), dated)


def _share(path: Path, row: _Row, column: str) -> float:
    value = _number(row.cells[column])
    if value is None or not 0 <= value <= 100:
        raise SeriesError(
            f"{path}:{row.line}: {column}: got {row.cells[column]!r}; expected a share in [0, 1] or per cent"
        )
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _date(text: str) -> float | None:
    """Days since 1970, with their fraction; a zone is converted, no zone means UTC."""
    for parse in (datetime.fromisoformat, *(_by(form) for form in _DATES)):
        try:
            moment = parse(text)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() / 86_400
    return None


def _by(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)


def _plain(text: str) -> str:
    """Whole numbers written as floats are the same class or person: 2.0 is 2."""
    text = text.strip()
    value = _number(text)
    return str(int(value)) if value is not None and value == int(value) else text
