"""Which adapters sit in the model's slots: opened on demand, the least recently used making room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from adapters.engines.protocol import RequestError
from adapters.engines.validation import explain_adapter
from adapters.errors import AdapterError, CorruptAdapterError
from adapters.lora.adapter import Adapter
from adapters.lora.layers import StackedLora
from adapters.lora.spec import LoraSpec
from adapters.store.compatibility import check_base
from adapters.store.tensors import all_finite

if TYPE_CHECKING:
    from adapters.bases.loader import Base
    from adapters.store.manifest import Manifest


class AdapterReader(Protocol):
    """Where adapters come from; `AdapterStore` is one."""

    def open(self, revision: str) -> Adapter:
        """The adapter of a revision.

        Raises:
            AdapterError: `UnknownAdapterError` when there is none.
        """
        ...


@runtime_checkable
class ManifestReader(Protocol):
    """A reader that also knows the base each adapter was made for."""

    def manifest(self, revision: str) -> Manifest:
        """The provenance of a revision."""
        ...


@dataclass
class Wave:
    """Adapters that are in the model at the same time.

    Args:
        slots: revision → slot.
        errors: revision → why it cannot be served.
        later: revisions that found no room, or have another rank, scale, targets or first layer than this wave's.
    """

    slots: dict[str, int] = field(default_factory=dict)
    errors: dict[str, RequestError] = field(default_factory=dict)
    later: list[str] = field(default_factory=list)


class Residency:
    """The slots of one base.

    The slots are attached to the model when the first adapter is needed, for adapters of one shape (rank,
    scale, targets, first layer) at a time; an adapter of another shape waits for a wave of its own.

    Args:
        base: the model to attach to.
        reader: where adapters come from.
        max_slots: adapters held at once, at least 1.
    """

    def __init__(self, base: Base, reader: AdapterReader, max_slots: int) -> None:
        self._base, self._reader, self._max_slots = base, reader, max_slots
        self._resident: dict[str, int] = {}  # least recently used first
        self.stack: StackedLora | None = None

    @property
    def resident(self) -> tuple[str, ...]:
        """Revisions in the slots, least recently used first."""
        return tuple(self._resident)

    def next_wave(self, wanted: Sequence[str]) -> Wave:
        """Bring in the first of the wanted revisions, as many as fit together.

        Which ones are in a wave depends on the request alone, and not on what is in already: a run that stops and
        goes on has to end in the same bits.
        """
        wave = Wave()
        for place, revision in enumerate(wanted):
            if len(wave.slots) == self._max_slots:
                wave.later.append(revision)
                continue
            try:
                slot = self._bring_in(revision, wave, wanted[place:])
            except AdapterError as error:
                wave.errors[revision] = explain_adapter(revision, self._base, error)
                continue
            if slot is None:
                wave.later.append(revision)
            else:
                wave.slots[revision] = slot
        return wave

    def release(self) -> None:
        """Take the slots out of the model."""
        if self.stack is not None:
            self.stack.detach()
        self.stack = None
        self._resident.clear()

    def _bring_in(self, revision: str, wave: Wave, coming: Sequence[str]) -> int | None:
        """The revision's slot; None if its shape must wait for a later wave."""
        if revision in self._resident:
            slot = self._resident.pop(revision)
        else:
            adapter = self._open(revision)
            stack = self._stack_for(adapter.spec, idle=not wave.slots)
            if stack is None:
                return None
            slot = self._free_slot(wave, coming)
            stack.load(slot, adapter)
        self._resident[revision] = slot
        return slot

    def _open(self, revision: str) -> Adapter:
        if isinstance(self._reader, ManifestReader):
            check_base(self._reader.manifest(revision), self._base)
        adapter = self._reader.open(revision)
        if not all(all_finite(factor) for pair in adapter.pairs.values() for factor in pair):
            # Beside others in one product it would make their rows NaN too: 0 · NaN.
            raise CorruptAdapterError("it holds NaN or infinity; train it again")
        return adapter

    def _stack_for(self, spec: LoraSpec, *, idle: bool) -> StackedLora | None:
        if self.stack is not None and _shape(self.stack.spec) == _shape(spec):
            return self.stack
        if not idle:
            return None
        self.release()
        self.stack = StackedLora.attach(self._base.model, spec, self._max_slots)
        return self.stack

    def _free_slot(self, wave: Wave, coming: Sequence[str]) -> int:
        if len(self._resident) < self._max_slots:
            return min(set(range(self._max_slots)) - set(self._resident.values()))
        soon = set(coming[: self._max_slots - len(wave.slots)])
        idle = [revision for revision in self._resident if revision not in wave.slots]
        oldest = next((revision for revision in idle if revision not in soon), idle[0])
        return self._resident.pop(oldest)


def _shape(spec: LoraSpec) -> tuple[int, float, tuple[str, ...], int]:
    return spec.rank, spec.scale, spec.targets, spec.first_layer
