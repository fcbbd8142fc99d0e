from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.times import sortable_time

NOON = "2016-03-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    "value",
    [
        "2016-03-01T12:00:00",
        "2016-03-01 12:00:00",
        " 2016-03-01T12:00Z ",
        "2016-03-01T14:30:00+02:30",
        "20160301T120000",
        "Tue Mar 01 12:00:00 +0000 2016",
        "Tue, 01 Mar 2016 13:00:00 +0100",
        datetime(2016, 3, 1, 12),
        datetime(2016, 3, 1, 7, tzinfo=timezone(timedelta(hours=-5))),
        # 2016-03-01 is day 16861 of the epoch: 16861 · 86400 + 43200 = 1456833600
        1456833600,
        1456833600.0,
        "1456833600",
        "1456833600.000",
        1456833600_000,
        1456833600_000_000,
        1456833600_000_000_000,
    ],
)
def test_every_notation_of_one_moment_is_one_text(value: object) -> None:
    assert sortable_time(value) == NOON


@pytest.mark.parametrize("value", ["2016-03-01", "20160301", 20160301, date(2016, 3, 1)])
def test_a_date_is_its_midnight(value: object) -> None:
    assert sortable_time(value) == "2016-03-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "01/03/2016", "2016-13-01", "2016-03-01T25:00", "Foo bar", "Tue Foo", "١٢"),
        *(True, None, [], 1e30, float("nan"), float("inf"), -(10**21)),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))),
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="is no time; expected ISO 8601"):
        sortable_time(value)


moments = st.datetimes(datetime(1800, 1, 2), datetime(2900, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))


@given(moments, moments)
def test_texts_sort_as_times_do(a: datetime, b: datetime) -> None:
    assert (sortable_time(a) < sortable_time(b)) == (a < b)


@given(moments)
def test_normalising_twice_changes_nothing(moment: datetime) -> None:
    assert sortable_time(sortable_time(moment)) == sortable_time(moment)


@given(st.integers(-(10**10), 10**10), st.integers(0, 999_999))
def test_microseconds_since_1970_are_exact(seconds: int, micros: int) -> None:
    sign = -1 if seconds < 0 else 1
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=sign * micros)
    assert sortable_time(f"{seconds}.{micros:06d}") == sortable_time(moment)
