"""Waits grow, stay within bounds, and honour what a server asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.vllm.client.backoff import LONGEST_ASKED, Backoff, retry_after

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
chances = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 40), chances)
def test_waits_lie_between_half_and_all_of_a_doubling_bound(attempt: int, chance: float) -> None:
    bound = min(20.0, 0.5 * 2 ** (attempt - 1))
    assert bound / 2 <= Backoff().wait(attempt, chance) <= bound


@given(st.integers(1, 10), chances, st.floats(0, 1e6))
def test_a_wait_the_server_asks_for_is_never_undercut_up_to_two_minutes(
    attempt: int, chance: float, asked: float
) -> None:
    assert Backoff().wait(attempt, chance, asked) >= min(asked, LONGEST_ASKED)
    assert Backoff().wait(attempt, chance, asked) <= max(20.0, LONGEST_ASKED)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("7", 7),
        (" 30 ", 30),
        ("Sun, 01 Mar 2026 12:00:09 GMT", 9),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("soon", 0),
        ("-4", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float) -> None:
    """RFC 9110, 10.2.3; what is neither asks for nothing."""
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"first": -1.0}, {"first": 3.0, "longest": 2.0}])
def test_impossible_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Backoff(**bad)
