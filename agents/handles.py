"""Names on the platform that are safe in prompts and grammars, and say nothing about sides."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from agents.corpus import User

_HANDLE = re.compile(r"[a-z0-9_]{1,20}")
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_SYLLABLES = tuple(c + v for c in _CONSONANTS for v in _VOWELS)


def assign_handles(users: Sequence[User]) -> dict[str, str]:
    """A handle for every user id: the id itself where all ids will do, else a pseudonym for everybody.

    Ids will do when each consists of 1 to 20 lower-case letters, digits and underscores and none gives
    its side away: neither by holding a side's label (`left_ana`) nor by a stem before its number that
    half of one side or more have and nobody else (`l007`). It is all or nothing, since pseudonyms for
    some would mark them. A pseudonym (`moraki_tudeno`) depends on the user id only, except when two collide.

    Args:
        users: everyone who may meet in one experiment, so that training and simulation agree.

    Returns:
        User id to handle; handles are distinct.
    """
    ids = [user.user_id for user in users]
    if all(map(_HANDLE.fullmatch, ids)) and not _tells_side(users):
        return dict(zip(ids, ids, strict=True))
    handles: dict[str, str] = {}
    taken: set[str] = set()
    for user_id in sorted(ids):
        attempt = 0
        while (handle := _pseudonym(user_id, attempt)) in taken:
            attempt += 1
        taken.add(handle)
        handles[user_id] = handle
    return handles


def _tells_side(users: Sequence[User]) -> bool:
    sides = {user.side.casefold() for user in users if user.side}
    if len(sides) < 2:
        return False
    by_stem: dict[str, list[str | None]] = defaultdict(list)
    members = Counter(user.side for user in users)
    for user in users:
        words = re.split(r"[\d_]+", user.user_id)
        if any(side in words or (len(side) > 2 and side in user.user_id) for side in sides):
            return True
        by_stem[user.user_id.rstrip("0123456789")].append(user.side)
    return any(
        len(labels) > 1 and len(set(labels)) == 1 and 2 * len(labels) >= members[labels[0]]
        for labels in by_stem.values()
    )


def _pseudonym(user_id: str, attempt: int) -> str:
    """Two made-up words of three syllables, out of 65⁶ ≈ 7.5e10."""
    number = int.from_bytes(hashlib.sha256(f"{attempt}:{user_id}".encode()).digest(), "big")
    syllables = []
    for _ in range(6):
        number, digit = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[digit])
    return "".join(syllables[:3]) + "_" + "".join(syllables[3:])
