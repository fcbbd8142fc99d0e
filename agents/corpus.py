"""People and what they wrote: the frozen types that every later stage reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class Post:
    """One text with its time; `time` is ISO 8601 and sorts as written (agents/times.py makes it so)."""

    time: str
    text: str


@dataclass(frozen=True, slots=True)
class User:
    """One person.

    Args:
        user_id: as in the source file.
        side: group label such as `supportive` or `skeptical`; None where unknown.
        profile: one line about the person, possibly empty.
        posts: in time order.
        activity: expected actions per step in (0, 1]; None lets the population derive it from post counts.
    """

    user_id: str
    side: str | None
    profile: str
    posts: tuple[Post, ...]
    activity: float | None = None


@dataclass(frozen=True, slots=True)
class SplitUser:
    """A user whose timeline is cut in time: the first K posts train, the later ones are held out."""

    user: User
    train: tuple[Post, ...]
    held_out: tuple[Post, ...]


@dataclass(frozen=True)
class Corpus:
    """Users in the order of their ids, with the count of everything left out on the way in."""

    name: str
    users: tuple[User, ...]
    excluded: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[User]:
        return iter(self.users)

    def __len__(self) -> int:
        return len(self.users)

    @property
    def sides(self) -> tuple[str, ...]:
        """Distinct side labels, sorted."""
        return tuple(sorted({u.side for u in self.users if u.side is not None}))

    @property
    def digest(self) -> str:
        """SHA-256 over every user, side, profile, time and text: the data hash of manifests."""
        sha = hashlib.sha256()
        for u in self.users:
            record = [u.user_id, u.side, u.profile, u.activity, [[p.time, p.text] for p in u.posts]]
            sha.update(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode())
            sha.update(b"\n")
        return sha.hexdigest()

    def with_users(self, users: tuple[User, ...]) -> Self:
        """The same corpus holding other users."""
        return type(self)(self.name, users, self.excluded, self.warnings)
