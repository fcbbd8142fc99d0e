"""How long to wait before a request is sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_ASKED = 120.0
"""Seconds: what a server asks for beyond that is not waited out."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double, each shortened by chance so that many clients do not come back together.

    Args:
        attempts: how often a request is sent at most, at least 1.
        first: longest wait before the second attempt, in seconds.
        longest: bound on every wait, in seconds.

    Raises:
        ValueError: for numbers out of range.
    """

    attempts: int = 5
    first: float = 0.5
    longest: float = 20.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts: got {self.attempts}; expected at least 1")
        if not 0 <= self.first <= self.longest:
            raise ValueError(
                f"first: got {self.first}; expected seconds from 0 to longest, which is {self.longest}"
            )

    def wait(self, attempt: int, chance: float, asked: float = 0.0) -> float:
        """Seconds to wait after a failed attempt.

        Args:
            attempt: number of the one that failed, from 1.
            chance: in [0, 1); the wait is between half and all of the bound.
            asked: seconds that the server asked for; never undercut.
        """
        bound = min(self.longest, self.first * 2.0 ** (attempt - 1))
        return max(bound * (0.5 + 0.5 * chance), min(asked, LONGEST_ASKED))


def retry_after(header: str | None, now: datetime) -> float:
    """Seconds that a `Retry-After` header asks for: a number or a date; 0 for none or one that says nothing.

    Source: RFC 9110, section 10.2.3.
    """
    if header is None:
        return 0.0
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
