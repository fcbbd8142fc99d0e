"""The shape of an adapter: what all revisions of one policy record have in common, besides the base."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from adapters.lora.adapter import Adapter


class Linear(NamedTuple):
    """One linear that carries factors: its module path and its widths."""

    path: str
    d_in: int
    d_out: int


class Shape(NamedTuple):
    """What an adapter's tensors look like, whatever their values are.

    Args:
        rank: r.
        targets: last name parts of the linears, sorted; empty when unknown.
        layout: SHA-256 (hex) over the linears' paths and widths; "" when unknown.
        layers: linears with factors; 0 when unknown.
        parameters: values in all factors; 0 when unknown.
        dtype: F32, F16 or BF16; "" when unknown.

    A catalog of version 1 kept the rank only; what its damaged adapters look like stays unknown.
    """

    rank: int
    targets: tuple[str, ...] = ()
    layout: str = ""
    layers: int = 0
    parameters: int = 0
    dtype: str = ""

    def conflicts(self, other: Shape) -> list[str]:
        """In which of rank, targets and layout two shapes differ, in words; the unknown differs from nothing.

        The dtype may differ: a record may be handed over in another precision.
        """
        found = []
        if self.rank != other.rank:
            found.append(f"rank {other.rank} in place of {self.rank}")
        if self.targets and other.targets and self.targets != other.targets:
            found.append(f"targets {', '.join(other.targets)} in place of {', '.join(self.targets)}")
        elif self.layout and other.layout and self.layout != other.layout:
            found.append(
                f"other layers ({other.layers} linears in place of {self.layers}, or other names or widths)"
            )
        return found


def shape(rank: int, linears: Iterable[Linear], dtype: str) -> Shape:
    """The shape of factors of rank `rank` at these linears."""
    ordered = sorted(linears)
    text = "".join(f"{linear.path} {linear.d_in} {linear.d_out}\n" for linear in ordered)
    return Shape(
        rank=rank,
        targets=tuple(sorted({linear.path.rpartition(".")[2] for linear in ordered})),
        layout=hashlib.sha256(text.encode()).hexdigest(),
        layers=len(ordered),
        parameters=rank * sum(linear.d_in + linear.d_out for linear in ordered),
        dtype=dtype,
    )


def shape_of(adapter: Adapter) -> Shape:
    """The shape of an adapter that `check_tensors` let pass."""
    from adapters.store.tensors import DTYPES

    linears = [Linear(path, pair.A.shape[1], pair.B.shape[0]) for path, pair in adapter.pairs.items()]
    first = next(iter(adapter.pairs.values()))
    return shape(adapter.spec.rank, linears, DTYPES[first.A.dtype])
