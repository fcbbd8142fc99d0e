"""Stacked LoRA: many users' adapters on one frozen model, every row of a batch under its own.

    y = W x + b + s · B[slot] A[slot] x        A: [S, r, d_in], B: [S, d_out, r]

Slot −1 is the base: its rows are what the plain linear returns, bit for bit.

Source: Hu et al. 2022, arXiv 2106.09685 (LoRA); Chen et al. 2024, arXiv 2310.18547 (Punica: one batch,
many adapters).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from adapters.errors import BaseMismatchError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.places import find_linears, some
from adapters.lora.routing import Routing, RowRouting, SegmentRouting
from adapters.lora.segments import segmented_lora_linear
from adapters.lora.spec import LoraSpec


@dataclass
class _Switch:
    """Which slot every row is under; one object that all layers of a model read."""

    routing: Routing | None = None


class StackedLinear(nn.Module):
    """A frozen linear with S low-rank updates beside it.

    Args:
        base: the linear that is wrapped; it is used, never changed.
        spec: rank and scale.
        n_slots: S, adapters held at once.
        switch: shared with the other layers of the model.
        dtype: of the adapters; None takes that of `base`, or float32 where it is int8.
    """

    def __init__(
        self, base: nn.Linear, spec: LoraSpec, n_slots: int, switch: _Switch, dtype: torch.dtype | None
    ) -> None:
        super().__init__()
        self.base = base
        self.scale = spec.scale
        self._switch = switch
        dtype = dtype or (base.weight.dtype if base.weight.is_floating_point() else torch.float32)
        A = torch.zeros(n_slots, spec.rank, base.in_features, dtype=dtype, device=base.weight.device)
        B = torch.zeros(n_slots, spec.rank, base.out_features, dtype=dtype, device=base.weight.device)
        self.A = nn.Parameter(A, requires_grad=False)
        # [S, d_out, r] to the eye, rank-major in memory: batched products with Bᵀ are five times faster so.
        self.B = nn.Parameter(B.transpose(1, 2), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: [batch, T, d_in] → [batch, T, d_out], each row under the slot of the open route."""
        match self._switch.routing:
            case None:
                return self._base(x)
            case RowRouting() as routing:
                return self._rows(x, routing)
            case SegmentRouting() as routing:
                return segmented_lora_linear(x, self.base, self.A, self.B, self.scale, routing)

    def _base(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        return y

    def _rows(self, x: Tensor, routing: RowRouting) -> Tensor:
        if x.ndim != 3 or x.shape[0] != routing.batch:
            raise ValueError(
                f"route: {routing.batch} rows were routed, but a wrapped linear got an input of shape "
                f"{tuple(x.shape)}; expected [{routing.batch}, tokens, features]"
            )
        y = self._base(x)
        if routing.nothing:
            return y
        A: Tensor = self.A
        B_t = self.B.transpose(1, 2)
        if routing.index is not None:
            A, B_t = A.index_select(0, routing.index), B_t.index_select(0, routing.index)
        x = (x if routing.active is None else x.index_select(0, routing.active)).to(A.dtype)
        h = torch.bmm(x, A.transpose(1, 2))
        if routing.active is None and y.dtype == A.dtype:
            return y.baddbmm_(h, B_t, alpha=self.scale)
        delta = torch.bmm(h, B_t).to(y.dtype)
        if routing.active is None:
            return y.add_(delta, alpha=self.scale)
        return y.index_add_(0, routing.active, delta, alpha=self.scale)


class StackedLora:
    """All stacked layers of one model: attach, fill slots, route rows, detach.

    Use `StackedLora.attach`; the constructor only records what it did.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: LoraSpec,
        n_slots: int,
        layers: dict[str, StackedLinear],
        switch: _Switch,
    ) -> None:
        self.spec = spec
        self.n_slots = n_slots
        self.layers: Mapping[str, StackedLinear] = MappingProxyType(layers)
        self._model = model
        self._switch = switch

    @classmethod
    def attach(
        cls, model: nn.Module, spec: LoraSpec, n_slots: int, *, dtype: torch.dtype | None = None
    ) -> StackedLora:
        """Replace the linears that `spec` names, from its first layer on, by stacked ones, all slots zero.

        Args:
            model: a transformers causal language model, or any module of linears fed [batch, T, d_in].
            spec: rank, scale, last name parts of the linears and the first decoder layer that carries any.
            n_slots: S, at least 1.
            dtype: of the adapters; None takes the model's.

        Raises:
            BaseMismatchError: a first layer above the base's last, a target that names no linear, or one that sees
                single tokens out of their row (inside a mixture-of-experts block, or the output head).
            ValueError: for fewer than one slot.
        """
        if n_slots < 1:
            raise ValueError(f"n_slots: got {n_slots}; expected at least 1")
        for path, module in model.named_modules():
            if isinstance(module, StackedLinear) and path.rpartition(".")[2] in spec.targets:
                raise BaseMismatchError(f"{path}: already carries stacked adapters; detach them first")
        found = find_linears(model, spec)
        switch = _Switch()
        layers = {path: StackedLinear(linear, spec, n_slots, switch, dtype) for path, linear in found.items()}
        for path, layer in layers.items():
            _set_module(model, path, layer)
        return cls(model, spec, n_slots, layers, switch)

    def detach(self) -> None:
        """Put the plain linears back; the slots' contents are lost with this object."""
        for path, layer in self.layers.items():
            _set_module(self._model, path, layer.base)

    @torch.no_grad()
    def load(self, slot: int, adapter: Adapter) -> None:
        """Copy an adapter into a slot.

        Raises:
            BaseMismatchError: rank, scale, layers or shapes differ from those of this stack.
            IndexError: no such slot.
        """
        self._check_slot(slot)
        self._check_fits(adapter)
        for path, layer in self.layers.items():
            pair = adapter.pairs[path]
            layer.A[slot].copy_(pair.A)
            layer.B[slot].copy_(pair.B)

    @torch.no_grad()
    def export(self, slot: int) -> Adapter:
        """A copy, on the CPU, of what a slot holds."""
        self._check_slot(slot)
        pairs = {
            path: LoraPair(
                *(t[slot].cpu().clone(memory_format=torch.contiguous_format) for t in (layer.A, layer.B))
            )
            for path, layer in self.layers.items()
        }
        return Adapter(self.spec, pairs)

    @torch.no_grad()
    def clear(self, slot: int) -> None:
        """Zero a slot: rows under it answer like the base."""
        self._check_slot(slot)
        for layer in self.layers.values():
            layer.A[slot].zero_()
            layer.B[slot].zero_()

    @contextmanager
    def route(self, rows: Tensor | Sequence[int]) -> Iterator[None]:
        """Within: row i of every batch is under slot `rows[i]`; −1 is the base. Without a route all is base.

        Raises:
            IndexError: a slot outside −1 … S−1.
        """
        with self._routed(RowRouting.of(rows, self.n_slots, self._device)):
            yield

    @contextmanager
    def route_segments(self, slots: Sequence[int], lengths: Sequence[int]) -> Iterator[None]:
        """Within: batches are [1, sum(lengths), d_in]; run i, of `lengths[i]` tokens, is under `slots[i]`.

        For rows packed one behind the other without padding (see `adapters.lora.packing`).

        Raises:
            IndexError: a slot outside −1 … S−1.
        """
        with self._routed(SegmentRouting.of(slots, lengths, self.n_slots, self._device)):
            yield

    @contextmanager
    def _routed(self, routing: Routing) -> Iterator[None]:
        before = self._switch.routing
        self._switch.routing = routing
        try:
            yield
        finally:
            self._switch.routing = before

    @property
    def _device(self) -> torch.device:
        return next(iter(self.layers.values())).A.device

    def _check_slot(self, slot: int) -> None:
        if not 0 <= slot < self.n_slots:
            raise IndexError(f"slot: got {slot}; expected 0 to {self.n_slots - 1}")

    def _check_fits(self, adapter: Adapter) -> None:
        if (adapter.spec.rank, adapter.spec.scale) != (self.spec.rank, self.spec.scale):
            raise BaseMismatchError(
                f"adapter of rank {adapter.spec.rank} and scale {adapter.spec.scale:g}; this stack holds "
                f"rank {self.spec.rank} and scale {self.spec.scale:g}. Attach one with the adapter's spec."
            )
        if adapter.spec.first_layer != self.spec.first_layer:
            raise BaseMismatchError(
                f"adapter of the decoder layers from {adapter.spec.first_layer} on; this stack holds those from "
                f"{self.spec.first_layer} on. Attach one with the adapter's spec."
            )
        if missing := self.layers.keys() ^ adapter.pairs.keys():
            raise BaseMismatchError(
                f"the adapter's layers are not those of this model and spec; they differ in "
                f"{some(missing)}. Use the base and the targets that the adapter was trained for."
            )
        for path, layer in self.layers.items():
            got, expected = _shapes(*adapter.pairs[path]), _shapes(layer.A[0], layer.B[0])
            if got != expected:
                raise BaseMismatchError(
                    f"{path}: the adapter has A, B of shapes {got}; this base needs {expected}. "
                    f"Use the base that the adapter was trained for."
                )


def _shapes(A: Tensor, B: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(A.shape), tuple(B.shape)


def _set_module(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
