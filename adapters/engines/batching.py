"""How requests are put together: which prompts share a pass, how the pool is divided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adapters.lora.packing import shared_beginning

Row = Sequence[int]


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


def group_rows(rows: Sequence[Row], owners: Sequence[int]) -> list[list[int]]:
    """Indices of token rows, grouped so that a long common beginning is computed once.

    Args:
        rows: token rows.
        owners: the adapter slot of each; only rows of one slot are grouped.

    Returns:
        Groups in the order in which their slots first occur, whatever numbers these have: on which slot an
        adapter sits depends on what was served before, and no sum may. The rows of a group have at least half
        of the shortest one in common.
    """
    groups: list[list[int]] = []
    place = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
    for i in sorted(range(len(rows)), key=lambda i: (place[owners[i]], tuple(rows[i]))):
        if groups and _alike(groups[-1], i, rows, owners):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _alike(group: list[int], i: int, rows: Sequence[Row], owners: Sequence[int]) -> bool:
    first = group[0]  # the rows between share at least what first and newest share: they are sorted
    if owners[first] != owners[i]:
        return False
    shortest = min(len(rows[i]), *(len(rows[j]) for j in group))
    return 2 * shared_beginning([rows[first], rows[i]]) >= shortest


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
