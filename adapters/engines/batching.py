"""How requests are put together: which prompts share a pass, how the pool is divided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adapters.lora.packing import common_beginning

Row = Sequence[int]

_WORTH_SHARING = 8
"""Rows share a beginning of an eighth of the shorter one: attention after a shared beginning costs a little more."""


class Division(NamedTuple):
    """One division of the pool.

    Args:
        members: indices of the requests that run under it.
        rows: requests that run at the same time.
        length: tokens of a row, enough for each member's prompt and reply.
    """

    members: list[int]
    rows: int
    length: int


def divide_pool(needs: Sequence[int], capacity: int) -> list[Division]:
    """Cut requests of very different length apart, so that short ones do not pay for long rows.

    Requests that all fit at the same time stay together. Otherwise a division holds requests that need more
    than half of its longest.

    Args:
        needs: tokens each request needs, prompt and reply; none above `capacity`.
        capacity: tokens of the pool.
    """
    waiting = sorted(range(len(needs)), key=lambda i: -needs[i])
    divisions = []
    while waiting:
        length = needs[waiting[0]]
        rows = capacity // length
        members = waiting
        if len(waiting) > rows:
            members = [i for i in waiting if 2 * needs[i] > length]
        divisions.append(Division(members, min(rows, len(members)), length))
        waiting = waiting[len(members) :]
    return divisions


def order_by_text(rows: Sequence[Row], owners: Sequence[int]) -> list[int]:
    """Indices of token rows, those that begin alike side by side; equal ones as their owners first occur."""
    place = _places(owners)
    return sorted(range(len(rows)), key=lambda i: (tuple(rows[i]), place[owners[i]]))


def group_rows(rows: Sequence[Row], owners: Sequence[int]) -> list[list[int]]:
    """Indices of token rows, grouped so that what rows have in common is computed once.

    Args:
        rows: token rows.
        owners: the adapter slot of each; only rows of one slot are grouped.

    Returns:
        Groups in the order in which their slots first occur, whatever numbers these have: on which slot an
        adapter sits depends on what was served before, and no sum may. Rows that follow each other in a group
        have a beginning in common that is worth sharing.
    """
    groups: list[list[int]] = []
    place = _places(owners)
    for i in sorted(range(len(rows)), key=lambda i: (place[owners[i]], tuple(rows[i]))):
        if groups and owners[groups[-1][-1]] == owners[i] and _alike(rows[groups[-1][-1]], rows[i]):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _places(owners: Sequence[int]) -> dict[int, int]:
    """For each owner, how many others occur before it."""
    return {owner: place for place, owner in enumerate(dict.fromkeys(owners))}


def _alike(row: Row, following: Row) -> bool:
    return _WORTH_SHARING * common_beginning(row, following) >= min(len(row), len(following))


def cut_passes(groups: Sequence[Sequence[int]], rows: Sequence[Row], budget: int) -> list[list[list[int]]]:
    """Fill forward passes with groups of token rows.

    Args:
        groups: indices of `rows`, as `group_rows` returns them.
        budget: tokens of a pass, a row's own counted in full; a longer single row gets a pass to itself.

    Returns:
        Passes of groups; a group that does not fit is cut.
    """
    passes: list[list[list[int]]] = []
    room = 0
    for group in groups:
        new_group = True
        for i in group:
            if len(rows[i]) > room:
                passes.append([])
                room, new_group = budget, True
            if new_group:
                passes[-1].append([])
                new_group = False
            passes[-1][-1].append(i)
            room -= len(rows[i])
    return passes
