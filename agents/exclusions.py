"""What is left out on the way in: counted by reason, with the first few examples, never silently."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

_EXAMPLES = 3


class Reason(StrEnum):
    """Why a row, a post or a user was left out."""

    BAD_JSON = "bad_json"
    BAD_ROW = "bad_row"
    MISSING_FIELD = "missing_field"
    NOT_TEXT = "not_text"
    SURROGATE = "surrogate"
    EMPTY_TEXT = "empty_text"
    BAD_TIME = "bad_time"
    BAD_ACTIVITY = "bad_activity"
    DUPLICATE_POST = "duplicate_post"
    TOO_FEW_POSTS = "too_few_posts"
    NEAR_DUPLICATE_HELD_OUT = "near_duplicate_held_out"


class Exclusions:
    """A running count of what was left out."""

    def __init__(self) -> None:
        self._counts: Counter[Reason] = Counter()
        self._examples: dict[Reason, list[str]] = {}

    def add(self, reason: Reason, example: str) -> None:
        """Count one; the first three examples of each reason are kept."""
        self._counts[reason] += 1
        kept = self._examples.setdefault(reason, [])
        if len(kept) < _EXAMPLES:
            kept.append(example)

    @property
    def counts(self) -> dict[str, int]:
        """Reason to count, in the order of `Reason`, without zeros."""
        return {reason.value: self._counts[reason] for reason in Reason if self._counts[reason]}

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each reason: `bad_time: 2 left out: posts.csv:7: 'soon' is no time; …`."""
        return tuple(
            f"{reason}: {self._counts[reason]} left out: {' | '.join(self._examples[reason])}"
            for reason in Reason
            if self._counts[reason]
        )
