"""Where every factor of an adapter lies in one flat row, so that adapters of one shape stack in one tensor.

The experts of a projection are stacked: `model.layers.0.mlp.experts.*.gate_proj` stands for all of them, with
A: (experts, r, d_in) and B: (experts, d_out, r). A mixture of 48 layers and 128 experts so has 672 blocks
instead of 37,248 tensors (arXiv 2605.13779 gives this count; the layout that reaches it is ours).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.depth import layer_of
from adapters.lora.spec import LoraSpec
from adapters.safetensors_header import ITEM_BYTES
from adapters.store.tensors import DTYPES, MODULE_PATH
from adapters.untrusted import UntrustedError, strict_json

TORCH_DTYPES = {name: dtype for dtype, name in DTYPES.items()}

_EXPERT = re.compile(r"(?P<before>.+\.experts)\.(?P<number>0|[1-9]\d*)\.(?P<after>.+)")
_EVERY = ".*."
_MOST_LINEARS = 1 << 20
_KEYS = {"spec", "dtype", "modules"}


class Module(NamedTuple):
    """A linear that carries an adapter, or all of a block's experts' linears of one name.

    Args:
        path: module path in the base; `*` stands for the number of the expert.
        experts: 0 for a single linear.
        d_in: inputs.
        d_out: outputs.
    """

    path: str
    experts: int
    d_in: int
    d_out: int

    def shapes(self, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of A and B."""
        stack = (self.experts,) if self.experts else ()
        return (*stack, rank, self.d_in), (*stack, self.d_out, rank)

    def paths(self) -> list[str]:
        """Of every single linear."""
        before, _, after = self.path.partition(_EVERY)
        return [f"{before}.{i}.{after}" for i in range(self.experts)] or [self.path]


class _Factor(NamedTuple):
    """One factor of one linear, as its part of the digest: what is hashed before it, and its bytes in a row."""

    title: bytes
    start: int
    stop: int


@dataclass(frozen=True)
class RowLayout:
    """The form that all adapters of one packed file share.

    Args:
        spec: rank, scale, targets and first layer.
        dtype: of every value: F32, F16 or BF16.
        modules: in the order of their places; A lies before B.
    """

    spec: LoraSpec
    dtype: str
    modules: tuple[Module, ...]
    shapes: tuple[tuple[int, ...], ...] = field(init=False, compare=False, repr=False)
    sizes: tuple[int, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        shapes = tuple(shape for module in self.modules for shape in module.shapes(self.spec.rank))
        object.__setattr__(self, "shapes", shapes)
        object.__setattr__(self, "sizes", tuple(math.prod(shape) for shape in shapes))

    @property
    def length(self) -> int:
        """Values in a row."""
        return sum(self.sizes)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.length * ITEM_BYTES[self.dtype]

    @property
    def torch_dtype(self) -> torch.dtype:
        """`dtype` as torch calls it."""
        return TORCH_DTYPES[self.dtype]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Of every single linear, in the order of `modules`."""
        return tuple(path for module in self.modules for path in module.paths())

    @classmethod
    def of(cls, adapter: Adapter) -> RowLayout:
        """The layout of an adapter that passed `check_tensors`."""
        some = next(iter(adapter.pairs.values()))
        dims = {path: (pair.A.shape[1], pair.B.shape[0]) for path, pair in adapter.pairs.items()}
        return cls(adapter.spec, DTYPES[some.A.dtype], tuple(sorted(_modules(dims))))

    def flatten(self, adapter: Adapter, row: Tensor) -> None:
        """Write the values of an adapter of this layout into `row`, [length]."""
        blocks = iter(self._blocks(row))
        for module in self.modules:
            pairs = [adapter.pairs[path] for path in module.paths()]
            for factors in zip(*pairs, strict=True):
                into = next(blocks)
                torch.stack(factors, out=into) if module.experts else into.copy_(factors[0])

    def adapter(self, row: Tensor) -> Adapter:
        """The adapter whose values lie in `row`, [length]; its tensors are views of the row."""
        blocks = self._blocks(row)
        pairs: list[LoraPair] = []
        for module, A, B in zip(self.modules, blocks[::2], blocks[1::2], strict=True):
            if module.experts:
                pairs += map(LoraPair, A.unbind(), B.unbind())
            else:
                pairs.append(LoraPair(A, B))
        return Adapter(self.spec, dict(zip(self.paths, pairs, strict=True)))

    def stacked(self, rows: Tensor) -> dict[str, LoraPair]:
        """All rows [n, length] at once: module path → A [n, …, r, d_in] and B [n, …, d_out, r], views of `rows`."""
        n, length = rows.shape
        blocks = [
            rows.as_strided((n, *shape), (length, *strides), rows.storage_offset() + start)
            for shape, strides, start in self._places
        ]
        pairs = map(LoraPair, blocks[::2], blocks[1::2])
        return {module.path: pair for module, pair in zip(self.modules, pairs, strict=True)}

    def digest(self, row: memoryview) -> str:
        """`tensor_digest` of the adapter whose bytes these are."""
        sha = hashlib.sha256()
        for title, start, stop in self._factors:
            sha.update(title)
            sha.update(row[start:stop])
        return sha.hexdigest()

    def _blocks(self, row: Tensor) -> list[Tensor]:
        """A view of `row` for A and for B of every module, in order."""
        offset = row.storage_offset()
        return [row.as_strided(shape, strides, offset + start) for shape, strides, start in self._places]

    @cached_property
    def _places(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...], int], ...]:
        """Shape, strides and start of every block, in values: one call of torch each."""
        starts = accumulate(self.sizes, initial=0)
        return tuple(
            (shape, tuple(math.prod(shape[i + 1 :]) for i in range(len(shape))), start)
            for shape, start in zip(self.shapes, starts, strict=False)
        )

    @cached_property
    def _factors(self) -> tuple[_Factor, ...]:
        """In the order of the digest: by path, A before B."""
        item, at = ITEM_BYTES[self.dtype], 0
        factors: list[tuple[str, str, _Factor]] = []
        for module in self.modules:
            for letter, (*_, high, wide) in zip("AB", module.shapes(self.spec.rank), strict=True):
                for path in module.paths():
                    title = f"{path}.{letter} {self.dtype} {high}x{wide}\n".encode()
                    stop = at + item * high * wide
                    factors.append((path, letter, _Factor(title, at, stop)))
                    at = stop
        return tuple(factor for *_, factor in sorted(factors))

    def to_json(self) -> str:
        """As text; `from_json` is its inverse."""
        modules = [list(module) for module in self.modules]
        return json.dumps({"spec": self.spec.as_dict(), "dtype": self.dtype, "modules": modules})

    @classmethod
    def from_json(cls, text: str) -> RowLayout:
        """Read what `to_json` wrote.

        Raises:
            UntrustedError: when it is no layout that `of` could have given.
        """
        value = strict_json(text.encode())
        if not isinstance(value, dict) or value.keys() != _KEYS:
            raise UntrustedError(f"has a layout with other keys than {', '.join(sorted(_KEYS))}")
        if value["dtype"] not in list(TORCH_DTYPES) or not isinstance(value["modules"], list):
            raise UntrustedError(f"has a layout of dtype {str(value['dtype'])[:40]!r} or without modules")
        try:
            spec = LoraSpec.from_dict(value["spec"])
        except ValueError as error:
            raise UntrustedError(f"has a layout without a spec ({error})") from error
        modules = tuple(map(_read_module, value["modules"]))
        if not modules or list(modules) != sorted(modules) or len({m.path for m in modules}) < len(modules):
            raise UntrustedError("has a layout whose modules are missing, repeated or out of order")
        if sum(module.experts or 1 for module in modules) > _MOST_LINEARS:
            raise UntrustedError(f"has a layout of more than {_MOST_LINEARS} linears")
        layout = cls(spec, value["dtype"], modules)
        _check_modules(layout)
        return layout


def _check_modules(layout: RowLayout) -> None:
    """Every linear once, targets and layers those of the spec; without naming each of many thousand experts."""
    experts = {module.path: module.experts for module in layout.modules}
    for path in experts:
        if (match := _EXPERT.fullmatch(path)) and int(match["number"]) < experts.get(_group(match), 0):
            raise UntrustedError(f"has a layout with the same linear twice, {path}")
    if found := {path.rpartition(".")[2] for path in experts} ^ set(layout.spec.targets):
        raise UntrustedError(
            f"has a layout whose modules are not its targets: {', '.join(sorted(found))[:80]}"
        )
    if below := [path for path in experts if layer_of(path) < layout.spec.first_layer]:
        raise UntrustedError(
            f"has a layout of layers from {layout.spec.first_layer} on, with the module {below[0]}"
        )


def _group(match: re.Match[str]) -> str:
    """The path of an expert's linear with `*` for its number."""
    return f"{match['before']}{_EVERY}{match['after']}"


def _modules(dims: Mapping[str, tuple[int, int]]) -> Iterator[Module]:
    """Experts 0, 1, 2, … of equal size are stacked; whatever else has a number in its path stays single."""
    groups: dict[str, dict[int, str]] = {}
    for path in dims:
        if match := _EXPERT.fullmatch(path):
            groups.setdefault(_group(match), {})[int(match["number"])] = path
    stacked: set[str] = set()
    for group, members in groups.items():
        sizes = {dims[path] for path in members.values()}
        if len(sizes) == 1 and len(members) == max(members) + 1:
            stacked.update(members.values())
            yield Module(group, len(members), *sizes.pop())
    for path in dims.keys() - stacked:
        yield Module(path, 0, *dims[path])


def _read_module(value: object) -> Module:
    match value:
        case [str(path), int(experts), int(d_in), int(d_out)] if min(d_in, d_out) > 0:
            linear = path.replace(_EVERY, ".0.", 1)
            expert = _EXPERT.fullmatch(linear)
            stacks = experts > 0 and expert is not None and _group(expert) == path
            if MODULE_PATH.fullmatch(linear) and (stacks or (experts == 0 and linear == path)):
                return Module(path, experts, d_in, d_out)
    raise UntrustedError(f"has a layout with the module {str(value)[:80]}, which is none")
