"""Rows laid one behind the other without padding, what a row has in common with the one before it only once.

    group 1: [row a][rest of row b][rest of row c]   group 2: [row d][…]   …

Linears, norms and experts then see each token once. What a token may attend to is described by spans:
`adapters.lora.packed_attention` computes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens that attend together: the last `queries` of `keys` see what stands before them in `keys`.

    Args:
        keys: packed places of a row from its start on.
        queries: 1 to len(keys).
    """

    keys: NDArray[np.int64]
    queries: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed batch.

    Args:
        input_ids: [1, total].
        position_ids: [1, total], each token's place in its row.
        homes: for each row, in the order given, the packed place of each of its tokens; neighbours in
            a group share the places of their common beginning.
        group_lengths: packed tokens of each group, in order.
        spans: each packed token is a query of exactly one.
    """

    input_ids: Tensor
    position_ids: Tensor
    homes: tuple[NDArray[np.int64], ...]
    group_lengths: tuple[int, ...]
    spans: tuple[Span, ...]

    @property
    def total(self) -> int:
        """Packed tokens."""
        return self.input_ids.shape[1]


def pack(groups: Sequence[Sequence[Sequence[int]]], *, device: torch.device | str = "cpu") -> Packed:
    """Pack groups of token rows.

    Args:
        groups: rows that may share a beginning stand in one group, those with most in common side by side,
            as sorting puts them; no group and no row is empty.
        device: of the tensors.

    Raises:
        ValueError: nothing to pack, or an empty group or row.
    """
    if not groups or not all(group and all(group) for group in groups):
        raise ValueError("pack: got an empty batch, group or row; expected at least one token in each row")
    ids: list[int] = []
    positions: list[int] = []
    homes: list[NDArray[np.int64]] = []
    spans: list[Span] = []
    group_lengths: list[int] = []
    for group in groups:
        start = len(ids)
        before: Sequence[int] = ()
        home = np.empty(0, dtype=np.int64)
        for row in group:
            shared = common_beginning(before, row)
            home = np.concatenate([home[:shared], np.arange(len(ids), len(ids) + len(row) - shared)])
            ids.extend(row[shared:])
            positions.extend(range(shared, len(row)))
            homes.append(home)
            if len(row) > shared:
                spans.append(Span(home, len(row) - shared))
            before = row
        group_lengths.append(len(ids) - start)
    return Packed(
        input_ids=torch.tensor([ids], device=device),
        position_ids=torch.tensor([positions], device=device),
        homes=tuple(homes),
        group_lengths=tuple(group_lengths),
        spans=tuple(spans),
    )


def common_beginning(a: Sequence[int], b: Sequence[int]) -> int:
    """How many first tokens two rows have in common."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
