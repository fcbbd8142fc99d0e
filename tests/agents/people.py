"""Made-up users for tests, by side and number of posts."""

from __future__ import annotations

from agents.corpus import Post, User
from agents.times import sortable_time


def user(user_id: str, side: str | None = None, posts: int = 3, activity: float | None = None) -> User:
    """A user whose posts all differ."""
    written = tuple(Post(sortable_time(n), f"{user_id} wrote{n} new{n} words{n}") for n in range(posts))
    return User(user_id, side, "", written, activity)


def crowd(**sides: int) -> list[User]:
    """`crowd(left=2, right=1)`: users u000, u001 on the left, u002 on the right."""
    labels = [side for side, count in sides.items() for _ in range(count)]
    return [user(f"u{number:03d}", side) for number, side in enumerate(labels)]
