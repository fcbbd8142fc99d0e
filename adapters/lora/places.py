"""Which linears of a base carry an adapter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from torch import nn

from adapters.bases.int8 import Int8Linear
from adapters.errors import BaseMismatchError
from adapters.lora.depth import layer_of
from adapters.lora.spec import LoraSpec


def find_linears(model: nn.Module, spec: LoraSpec) -> dict[str, nn.Linear]:
    """The linears of `model` that `spec` puts an adapter on: path → linear, in the model's order.

    Raises:
        BaseMismatchError: a first layer above the base's last, a target that names no linear, or one that sees
            single tokens out of their row (inside a mixture-of-experts block, or the output head).
    """
    blocks = tuple(name + "." for name, module in model.named_modules() if hasattr(module, "experts"))
    get_head: Callable[[], nn.Module | None] | None = getattr(model, "get_output_embeddings", None)
    head = get_head() if get_head else None
    found: dict[str, nn.Linear] = {}
    for path, module in _from_layer(model, spec.first_layer):
        if path.rpartition(".")[2] not in spec.targets:
            continue
        if not isinstance(module, nn.Linear) or not (
            module.weight.is_floating_point() or isinstance(module, Int8Linear)
        ):
            raise BaseMismatchError(
                f"{path}: is a {type(module).__name__}; adapters go on plain torch.nn.Linear weights. "
                f"Load the base unquantised and without other adapters."
            )
        if module is head or path.startswith(blocks):
            raise BaseMismatchError(
                f"{path}: experts, routers and the output head see tokens out of their rows and cannot carry "
                f"stacked adapters. Choose attention or dense MLP linears, such as q_proj."
            )
        found[path] = module
    names = {path.rpartition(".")[2] for path in found}
    if missing := set(spec.targets) - names:
        linears = [p for p, m in _from_layer(model, spec.first_layer) if isinstance(m, nn.Linear)]
        there = {path.rpartition(".")[2] for path in linears}
        where = f" from layer {spec.first_layer} on" if spec.first_layer else ""
        raise BaseMismatchError(
            f"targets: no linear of this base{where} is named {some(missing)}; its linears{where} are "
            f"{some(there, 12)}"
        )
    return found


def _from_layer(model: nn.Module, first: int) -> Iterator[tuple[str, nn.Module]]:
    """The model's modules, without those that stand below a decoder layer.

    Raises:
        BaseMismatchError: the model has no such layer.
    """
    modules = dict(model.named_modules())
    if first > (last := max(map(layer_of, modules))):
        raise BaseMismatchError(
            f"first_layer: got {first}; this base has {last + 1} decoder layers, expected 0 to {last}"
        )
    return ((path, module) for path, module in modules.items() if layer_of(path) >= first)


def some(names: Collection[str], at_most: int = 4) -> str:
    """The first of these names in words, and how many more there are."""
    shown = ", ".join(sorted(names)[:at_most])
    return shown + (f" and {len(names) - at_most} more" if len(names) > at_most else "")
