"""What came of a decision: one closed set of outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OutcomeKind(StrEnum):
    """Everything that can come of a decision. All but `done` leave the platform as it was."""

    DONE = "done"
    ALREADY_LIKED = "already_liked"
    ALREADY_DISLIKED = "already_disliked"
    ALREADY_SHARED = "already_shared"
    """A repost of what the actor has reposted or quoted before: OASIS does not tell the two apart."""
    ALREADY_FOLLOWING = "already_following"
    SELF_FOLLOW = "self_follow"
    MISSING_TARGET = "missing_target"
    INVALID_TEXT = "invalid_text"
    DUPLICATE = "duplicate"
    """The same act twice in one step, which the platform's trace cannot hold."""
    PLATFORM_ERROR = "platform_error"
    """A failure inside OASIS; `detail` has its words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one decision.

    `row_id` is the id of the post, comment, like, dislike or follow that was made; None where none was.
    """

    kind: OutcomeKind
    detail: str = ""
    row_id: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the decision took effect."""
        return self.kind is OutcomeKind.DONE
