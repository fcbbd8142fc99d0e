"""Times in any usual notation, made one text that sorts: `2016-03-01T12:00:00.000000Z`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_MAIL_DATE = re.compile(r"[A-Z][a-z]{2},? ")
# Seconds beyond 1e11 would lie after the year 5000: such numbers are milli-, micro- or nanoseconds.
_PER_SECOND = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (1e20, 1_000_000_000))


def sortable_time(value: object) -> str:
    """Write `value` as ISO 8601 in UTC, with six decimals, so that texts sort as times do.

    | value | reading |
    | --- | --- |
    | ISO date or date-time | a zone is converted, no zone means UTC, no time of day means midnight |
    | exactly eight digits | a date, 20160301 |
    | any other number, or its text | since 1970-01-01 UTC, in s, ms, µs or ns, told apart by magnitude |
    | mail and Twitter dates | `Wed Oct 10 20:19:24 +0000 2018` |
    | `date`, `datetime` | as an ISO text |

    Raises:
        ValueError: for anything else, saying what was expected.
    """
    try:
        moment = _moment(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        utc = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is no time; expected ISO 8601 or seconds since 1970") from error
    return utc.isoformat(timespec="microseconds") + "Z"


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value) if isinstance(value, int) else f"{value:f}"
    if not isinstance(value, str):
        raise ValueError("neither text nor number")  # noqa: TRY004 - callers meet one kind of error
    text = value.strip()
    if _NUMBER.fullmatch(text) and not (len(text) == 8 and text.isdigit()):
        return _since_epoch(text)
    if _MAIL_DATE.match(text):
        return parsedate_to_datetime(text)
    return datetime.fromisoformat(text)


def _since_epoch(number: str) -> datetime:
    """Exact for whole numbers of any unit."""
    whole, _, decimals = number.partition(".")
    for limit, per_second in _PER_SECOND:
        if abs(int(whole)) < limit:
            micros = int(whole) * 1_000_000 // per_second
            sign = -1 if number.startswith("-") else 1
            part = sign * round(float(f"0.{decimals or 0}") * 1_000_000 / per_second)
            return _EPOCH + timedelta(microseconds=micros + part)
    raise ValueError("too large")
