"""Which slot each row, or each run of packed tokens, of a batch is under; worked out once per route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

BASE_SLOT = -1
"""The slot number of rows without any adapter."""


@dataclass(frozen=True, slots=True)
class RowRouting:
    """Slots of the rows of a padded batch [batch, T, …].

    Args:
        batch: number of rows.
        active: rows that carry an adapter, or None when all do.
        index: slots of these rows, or None when they are 0 … S−1 in order, so that no gather is needed.
    """

    batch: int
    active: Tensor | None
    index: Tensor | None

    @property
    def nothing(self) -> bool:
        """No row carries an adapter."""
        return self.active is not None and self.active.numel() == 0

    @classmethod
    def of(cls, rows: Tensor | Sequence[int], n_slots: int, device: torch.device) -> RowRouting:
        """Check the slots and prepare the look-ups on `device`."""
        slots = [int(slot) for slot in (rows.tolist() if isinstance(rows, Tensor) else rows)]
        _check(slots, n_slots)
        carrying = [i for i, slot in enumerate(slots) if slot != BASE_SLOT]
        index = [slots[i] for i in carrying]
        every, identity = len(carrying) == len(slots), index == list(range(n_slots))
        return cls(
            batch=len(slots),
            active=None if every else torch.tensor(carrying, dtype=torch.long, device=device),
            index=None if identity else torch.tensor(index, dtype=torch.long, device=device),
        )


class Segment(NamedTuple):
    """A run of `length` tokens under one slot."""

    slot: int
    length: int


@dataclass(frozen=True, slots=True)
class SegmentRouting:
    """Slots of the runs of a packed batch [1, total, …].

    Args:
        segments: one behind the other, neighbours of one slot merged, none empty.
    """

    segments: tuple[Segment, ...]

    @classmethod
    def of(cls, slots: Sequence[int], lengths: Sequence[int], n_slots: int) -> SegmentRouting:
        """Check the slots and merge neighbouring runs."""
        _check(slots, n_slots)
        segments: list[Segment] = []
        for slot, length in zip(slots, lengths, strict=True):
            if segments and segments[-1].slot == slot:
                segments[-1] = Segment(slot, segments[-1].length + length)
            elif length:
                segments.append(Segment(slot, length))
        return cls(tuple(segments))


Routing = RowRouting | SegmentRouting


def _check(slots: Sequence[int], n_slots: int) -> None:
    for slot in slots:
        if not BASE_SLOT <= slot < n_slots:
            raise IndexError(f"route: got slot {slot}; expected {BASE_SLOT} (the base) to {n_slots - 1}")
