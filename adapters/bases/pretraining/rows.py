"""Training rows of a base and their grouping into batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


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
    """Rows side by side. `ids`: (rows, length), padded on the right; the rest: (learned tokens,).

    The token at flat position `at` + 1 is `target`; `weight` is its share in the loss.
    """

    ids: Tensor
    at: Tensor
    target: Tensor
    weight: Tensor
    tokens: int


def collate(rows: Sequence[Row], pad_id: int) -> Batch:
    """Pad rows to the longest and list the positions whose next token is learned."""
    length = max(len(r.tokens) for r in rows)
    ids = np.full((len(rows), length), pad_id, dtype=np.int64)
    at, weight = [], []
    for n, row in enumerate(rows):
        ids[n, : len(row.tokens)] = row.tokens
        for span in row.spans:
            at.append(n * length + np.arange(span.start - 1, span.stop - 1))
            weight.append(np.full(span.stop - span.start, span.weight, dtype=np.float32))
    where = torch.from_numpy(np.concatenate(at))
    flat = torch.from_numpy(ids)
    return Batch(
        flat,
        where,
        flat.flatten()[where + 1],
        torch.from_numpy(np.concatenate(weight)),
        sum(len(r.tokens) for r in rows),
    )


def batches(
    rng: np.random.Generator, rows: Sequence[Row], batch_tokens: int, pool: int = 32
) -> Iterator[list[Row]]:
    """One pass over `rows` in random order, batched by similar length.

    Args:
        rng: source of chance.
        rows: all of them.
        batch_tokens: most positions per batch, padding included (a longer single row is a batch of its own).
        pool: batches whose rows are sorted by length together; larger pads less, shuffles less.
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
