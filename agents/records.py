"""One row of a corpus file checked field by field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from agents.columns import Columns
from agents.exclusions import Reason
from agents.text import clean_text
from agents.times import sortable_time


class RecordError(Exception):
    """A row that cannot be used; `reason` is what it is counted under."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Person(NamedTuple):
    """What a row says about its user; None and "" where it says nothing."""

    user_id: str
    side: str | None
    profile: str
    activity: float | None


class Record(NamedTuple):
    """One usable post of one user."""

    person: Person
    time: str
    text: str


def read_person(values: Mapping[str, object], columns: Columns) -> Person:
    """The user's id, side, profile and activity in one row.

    Raises:
        RecordError: for an absent id, or a field of the wrong kind.
    """
    user_id = _label(values, columns.user)
    if user_id is None:
        raise RecordError(Reason.MISSING_FIELD, f"no {columns.user}")
    return Person(
        user_id,
        _label(values, columns.side),
        clean_text(_label(values, columns.profile) or ""),
        _activity(values, columns.activity),
    )


def read_record(values: Mapping[str, object], columns: Columns) -> Record:
    """One post with its user.

    Raises:
        RecordError: when any field is absent or of the wrong kind, or the text shows nothing.
    """
    person = read_person(values, columns)
    text = _present(values, columns.text)
    if not isinstance(text, str):
        raise RecordError(Reason.NOT_TEXT, f"{columns.text} is {type(text).__name__}, not text")
    _refuse_surrogates(text, columns.text)
    if not clean_text(text):
        raise RecordError(Reason.EMPTY_TEXT, f"{columns.text} is empty")
    try:
        return Record(person, sortable_time(_present(values, columns.time)), text)
    except ValueError as error:
        raise RecordError(Reason.BAD_TIME, str(error)) from error


def _present(values: Mapping[str, object], column: str | None) -> object:
    value = None if column is None else values.get(column)
    if value is None:
        raise RecordError(Reason.MISSING_FIELD, f"no {column}")
    return value


def _label(values: Mapping[str, object], column: str | None) -> str | None:
    """Text, or a whole number as text; None where absent or blank."""
    value = None if column is None else values.get(column)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise RecordError(Reason.NOT_TEXT, f"{column} is {type(value).__name__}, not text")
    _refuse_surrogates(value, column)
    return value.strip() or None


def _refuse_surrogates(text: str, column: str | None) -> None:
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise RecordError(Reason.SURROGATE, f"{column} holds half of a surrogate pair, which is no character")


def _activity(values: Mapping[str, object], column: str | None) -> float | None:
    value = None if column is None else values.get(column)
    if value is None or value == "":
        return None
    try:
        rate = (
            float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        )
    except ValueError:
        rate = math.nan
    if not 0 < rate <= 1:
        raise RecordError(Reason.BAD_ACTIVITY, f"{column} is {value!r}; expected a number in (0, 1]")
    return rate
