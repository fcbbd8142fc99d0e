"""Token rows put together into forward passes: each token is computed once wherever its result is the same.

Layers that carry an adapter give one result for each adapter, so there rows share a beginning only with rows of their
own. Below the first such layer an adapter changes nothing: there all rows share, whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.engines.batching import Row, cut_passes, group_rows, order_by_text
from adapters.lora.packing import Packed, pack


@dataclass(frozen=True, slots=True)
class Below:
    """How the rows of a pass lie in the layers below the first adapted one.

    Args:
        packed: the rows, in the order of the pass.
        depth: number of these layers.
        source: for each packed token of the layers above, its place here, [total above].
    """

    packed: Packed
    depth: int
    source: Tensor


@dataclass(frozen=True, slots=True)
class Pass:
    """Rows that go through the model together.

    Args:
        members: indices of the rows, in the order of packing.
        packed: the rows in the layers that carry adapters.
        group_slots: the adapter slot of each packed group.
        row_slots: the adapter slot of each row.
        below: the rows in the layers under those; None where nothing is saved by packing them anew.
    """

    members: tuple[int, ...]
    packed: Packed
    group_slots: tuple[int, ...]
    row_slots: tuple[int, ...]
    below: Below | None


def plan_passes(
    rows: Sequence[Row], slots: Sequence[int], *, depth: int, budget: int, device: torch.device
) -> Iterator[Pass]:
    """Put rows into passes.

    Args:
        rows: token rows, none empty.
        slots: the adapter slot of each.
        depth: layers below the first adapted one; 0 where there are none or no adapters.
        budget: tokens of a pass, a row's own counted in full; a longer single row gets a pass to itself.
        device: of the tensors.
    """
    whole = [order_by_text(rows, slots)] if depth else group_rows(rows, slots)
    for one_pass in cut_passes(whole, rows, budget):
        chosen = [i for group in one_pass for i in group]
        groups = group_rows([rows[i] for i in chosen], [slots[i] for i in chosen]) if depth else None
        grouped = [[chosen[i] for i in group] for group in groups] if groups else one_pass
        members = tuple(i for group in grouped for i in group)
        packed = pack([[rows[i] for i in group] for group in grouped], device=device)
        yield Pass(
            members=members,
            packed=packed,
            group_slots=tuple(slots[group[0]] for group in grouped),
            row_slots=tuple(slots[i] for i in members),
            below=_below([rows[i] for i in members], packed, depth) if depth else None,
        )


def _below(rows: Sequence[Row], packed: Packed, depth: int) -> Below | None:
    groups = group_rows(rows, [0] * len(rows))
    lower = pack([[rows[i] for i in group] for group in groups], device=packed.input_ids.device)
    if lower.total == packed.total:
        return None
    order = [i for group in groups for i in group]
    homes: list[NDArray[np.int64]] = [lower.homes[0]] * len(rows)
    for i, home in zip(order, lower.homes, strict=True):
        homes[i] = home
    source = np.empty(packed.total, dtype=np.int64)
    for above, below in zip(packed.homes, homes, strict=True):
        source[above] = below
    placed = Packed(lower.input_ids, lower.position_ids, tuple(homes), lower.group_lengths, lower.spans)
    return Below(placed, depth, torch.from_numpy(source).to(packed.input_ids.device))
