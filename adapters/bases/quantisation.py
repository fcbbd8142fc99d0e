"""A base in 8 bits: its linears, but for routers, quantised when the weights are read; everything else in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from adapters.bases.int8 import Int8Linear, Rounding, exact_products
from adapters.bases.loader import Base
from adapters.bases.weights import Weights
from adapters.engines.protocol import Message
from adapters.errors import BaseModelError

_SAMPLE = (
    "Good morning everyone! Coffee first, then the long walk along the river with the dog.",
    "The council voted 7 to 4 last night to raise the fare again. Who can afford to get to work like this?",
    "I can't believe they are still saying this on television. Read the report before you talk about it!!!",
    "RT @someone: new study, 2,400 people in 12 cities, finds no effect at all. Link: https://example.org/study",
    "lol my brother just texted me 'u up?' at 6 am to ask where the charger is",
    "My grandmother kept every letter he wrote from the coast. We read them aloud on her birthday.",
    "def mean(values):\n    return sum(values) / len(values)  # fails for an empty list",
    "Thank you all for the kind words. It has been a hard year, and your support means more than you know. #grateful",
)
"""Posts of nobody (ours), to see which input channels of a linear are large."""

_SMALLEST_SHARE = 1e-8
"""Of the mean square of a linear's inputs: smaller channels are taken for as large as this."""


def int8_base(base: Base) -> Base:
    """The same base with linears in 8 bits, for serving: in a quarter of their memory, and faster.

    Args:
        base: on the CPU in float32; it is left as it is, and need not have its weights in memory.

    Raises:
        BaseModelError: as `check_int8`.
    """
    weights = base.weights
    check_int8(weights.device, weights.dtype)
    prompts = [base.encoder.prompt_ids([Message("user", text)]) for text in _SAMPLE]
    finish = partial(quantise_linears, prompts=prompts)
    return replace(base, weights=Weights(weights.path, weights.device, weights.dtype, finish))


def check_int8(device: str, dtype: torch.dtype) -> None:
    """Find out whether weights can be had in 8 bits.

    Raises:
        BaseModelError: another device than the CPU, another type than float32, or a processor that cannot.
    """
    if device != "cpu" or dtype != torch.float32:
        raise BaseModelError(
            f"weights in int8 are for device cpu and dtype float32; got {device} and "
            f"{str(dtype).removeprefix('torch.')}. Leave them as they are there"
        )
    if not exact_products():
        raise BaseModelError(
            "weights in int8: this processor cannot sum products of 8-bit integers exactly (on x86 that takes VNNI); "
            "leave them in float32"
        )


def quantise_linears(model: PreTrainedModel, prompts: Sequence[Sequence[int]]) -> None:
    """Replace the linears of a model, but for routers, by 8-bit ones, one after the other to spare memory.

    Args:
        model: in float32 on the CPU.
        prompts: token ids, each at least one, that show how large the linears' inputs are.
    """
    routers = {f"{path}.gate" for path, module in model.named_modules() if hasattr(module, "experts")}
    linears = {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear) and path not in routers
    }
    smoothing = _smoothing(model, linears, prompts)
    shared: dict[str, tuple[Tensor, Rounding]] = {}
    for path in list(linears):
        parent, _, name = path.rpartition(".")
        factors, rounding = shared.get(parent, (None, None))
        if factors is None or rounding is None or not torch.equal(factors, smoothing[path]):
            rounding = Rounding(smoothing[path])  # equal ones are of neighbours that read the same input
            shared[parent] = smoothing[path], rounding
        setattr(model.get_submodule(parent), name, Int8Linear(linears.pop(path), rounding))


def _smoothing(
    model: PreTrainedModel, linears: Mapping[str, nn.Linear], prompts: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    """For each linear the square roots of its input channels' root mean squares; their geometric mean is 1."""
    squares = {path: torch.zeros(linear.in_features) for path, linear in linears.items()}

    def watch(total: Tensor) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def add(_: nn.Module, inputs: tuple[Tensor]) -> None:
            total.add_(inputs[0].detach().square().flatten(0, -2).sum(dim=0))

        return add

    hooks = [linear.register_forward_pre_hook(watch(squares[path])) for path, linear in linears.items()]
    try:
        with torch.enable_grad():  # without it experts are not called as modules; there is nothing to learn
            for prompt in prompts:
                model(input_ids=torch.tensor([list(prompt)]), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return {path: _roots(total) for path, total in squares.items()}


def _roots(squares: Tensor) -> Tensor:
    """Fourth roots over their geometric mean; ones for an expert that no token was sent to."""
    least = squares.mean() * _SMALLEST_SHARE
    logs = squares.clamp(min=least.clamp_min(torch.finfo(squares.dtype).tiny)).log_().div_(4)
    return logs.sub_(logs.mean()).exp_()
