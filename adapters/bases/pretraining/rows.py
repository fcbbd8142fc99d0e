"""Training rows of a base and their grouping into batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from adapters.lora.packing import Packed, pack


class Span(NamedTuple):
    """Positions `start` to `stop` (excluded) of a row carry the loss with `weight` > 0; `start` ≥ 1."""

    start: int
    stop: int
    weight: float = 1.0


class Row(NamedTuple):
    """Token ids and the spans that are learned; everything else is context."""

    tokens: Sequence[int]
    spans: tuple[Span, ...]


class Batch(NamedTuple):
    """Rows laid one behind the other without padding, and what is learned of them: (learned tokens,) each.

    Args:
        packed: the rows.
        at: packed places of the tokens before the learned ones.
        target: the learned tokens.
        weight: their shares in the loss.
    """

    packed: Packed
    at: Tensor
    target: Tensor
    weight: Tensor

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return self.packed.total


def collate(rows: Sequence[Row]) -> Batch:
    """Pack rows and list the places whose next token is learned."""
    packed = pack([[row.tokens] for row in rows])
    at, weight = [], []
    for row, home in zip(rows, packed.homes, strict=True):
        for span in row.spans:
            at.append(home[span.start - 1 : span.stop - 1])
            weight.append(np.full(span.stop - span.start, span.weight, dtype=np.float32))
    places = torch.from_numpy(np.concatenate(at))
    target = packed.input_ids[0, places + 1]
    return Batch(packed, places, target, torch.from_numpy(np.concatenate(weight)))


def batches(
    rng: np.random.Generator, rows: Sequence[Row], batch_tokens: int, pool: int = 32
) -> Iterator[list[Row]]:
    """One pass over `rows` in random order, batched by similar length.

    Args:
        rng: source of chance.
        rows: all of them.
        batch_tokens: most tokens per batch, every row counted as its longest (a longer single row is a batch of its
            own).
        pool: batches whose rows are sorted by length together; larger has attention pad less, shuffles less.
    """
    order = rng.permutation(len(rows))
    pool_rows = pool * max(1, batch_tokens // max(1, int(np.mean([len(r.tokens) for r in rows]))))
    for start in range(0, len(order), pool_rows):
        part = sorted((rows[int(i)] for i in order[start : start + pool_rows]), key=lambda r: len(r.tokens))
        groups: list[list[Row]] = [[]]
        for row in part:
            if groups[-1] and len(row.tokens) * (len(groups[-1]) + 1) > batch_tokens:
                groups.append([])
            groups[-1].append(row)
        for i in rng.permutation(len(groups)):
            yield groups[int(i)]


def in_passes(rows: Sequence[Row], pass_tokens: int) -> list[list[Row]]:
    """Rows in their order, cut where the next one would exceed `pass_tokens`; a longer row is a pass of its own."""
    passes: list[list[Row]] = [[]]
    filled = 0
    for row in rows:
        if passes[-1] and filled + len(row.tokens) > pass_tokens:
            passes.append([])
            filled = 0
        passes[-1].append(row)
        filled += len(row.tokens)
    return passes
