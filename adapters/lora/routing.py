"""Which slot each row, or each run of packed tokens, of a batch is under; worked out once per route."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BASE_SLOT = -1
"""The slot number of rows without any adapter."""

_SHORTEST_TILE = 32
"""In tokens; shorter tiles would make the batched products too many and too small."""


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


@dataclass(frozen=True, slots=True)
class Tiles:
    """Consecutive packed tokens cut into n tiles of one length, each with the slots that occur in it.

    Tiles have one length so that batched products can work on them; a tile holds tokens of up to k slots.

    Args:
        start: first token.
        n: number of tiles.
        length: tokens in a tile, t.
        slots: [n · k], the slots of each tile; those that a tile does not need are arbitrary.
        others: [n, k, 1, t], true where a token of the tile is not under the slot.
    """

    start: int
    n: int
    length: int
    slots: Tensor
    others: Tensor

    @property
    def tokens(self) -> slice:
        """The packed tokens in the tiles."""
        return slice(self.start, self.start + self.n * self.length)

    @classmethod
    def of(cls, slot_of_token: NDArray[np.int64], start: int, length: int, device: torch.device) -> Tiles:
        """Cut `slot_of_token`, [n · t], whose first token is packed token `start`."""
        tiles = slot_of_token.reshape(-1, length)
        present = [[slot for slot in dict.fromkeys(tile.tolist()) if slot != BASE_SLOT] for tile in tiles]
        width = max(1, *map(len, present))
        slots = np.array([[*found, *[0] * (width - len(found))] for found in present])
        needed = np.array([[True] * len(found) + [False] * (width - len(found)) for found in present])
        own = (tiles[:, None] == slots[:, :, None]) & needed[:, :, None]
        return cls(
            start=start,
            n=len(tiles),
            length=length,
            slots=torch.from_numpy(slots.ravel()).to(device),
            others=torch.from_numpy(~own[:, :, None]).to(device),
        )


@dataclass(frozen=True, slots=True)
class SegmentRouting:
    """Slots of the runs of a packed batch [1, total, …].

    Args:
        total: packed tokens.
        parts: tiles that cover all tokens under an adapter: most of the batch, then what is left over.
    """

    total: int
    parts: tuple[Tiles, ...]

    @classmethod
    def of(
        cls, slots: Sequence[int], lengths: Sequence[int], n_slots: int, device: torch.device
    ) -> SegmentRouting:
        """Check the slots and cut the tokens into tiles about as long as the shortest run."""
        _check(slots, n_slots)
        slot_of_token = np.repeat(np.array(slots, dtype=np.int64), lengths)
        total = len(slot_of_token)
        if not (slot_of_token != BASE_SLOT).any():
            return cls(total, ())
        n = max(1, total // max(_SHORTEST_TILE, min(length for length in lengths if length)))
        length, left_over = divmod(total, n)
        whole = total - left_over
        parts = [Tiles.of(slot_of_token[:whole], 0, length, device)]
        if left_over:
            parts.append(Tiles.of(slot_of_token[whole:], whole, left_over, device))
        return cls(total, tuple(parts))


Routing = RowRouting | SegmentRouting


def _check(slots: Sequence[int], n_slots: int) -> None:
    for slot in slots:
        if not BASE_SLOT <= slot < n_slots:
            raise IndexError(f"route: got slot {slot}; expected {BASE_SLOT} (the base) to {n_slots - 1}")
