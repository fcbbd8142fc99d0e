"""An adapter's tensors, judged and hashed without regard to the file that holds them."""

from __future__ import annotations

import hashlib
import re

import torch
from torch import Tensor

from adapters.errors import InvalidAdapterError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.depth import layer_of
from adapters.lora.spec import LoraSpec

DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
"""What a published tensor may be made of."""

MODULE_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
"""What a linear inside a model may be called."""


def check_tensors(adapter: Adapter) -> None:
    """Refuse what could never serve.

    Raises:
        InvalidAdapterError: no layers, an impossible layer name, other targets than the spec's, a layer below the
            spec's first, a wrong shape or dtype, mixed dtypes, or a NaN or infinite value.
    """
    if not adapter.pairs:
        raise InvalidAdapterError("the adapter has no layers; expected at least one linear with A and B")
    found = {path.rpartition(".")[2] for path in adapter.pairs}
    if found != set(adapter.spec.targets):
        raise InvalidAdapterError(
            f"the adapter has layers named {', '.join(sorted(found))}; its spec has the targets "
            f"{', '.join(adapter.spec.targets)}. Give a spec with exactly the targets that carry layers."
        )
    dtypes = set()
    for path, pair in adapter.pairs.items():
        if not MODULE_PATH.fullmatch(path):
            raise InvalidAdapterError(f"{path!r}: not a module path such as model.layers.0.self_attn.q_proj")
        if layer_of(path) < adapter.spec.first_layer:
            raise InvalidAdapterError(
                f"{path}: lies below decoder layer {adapter.spec.first_layer}, the first that carries the adapter by "
                f"its spec. Give a spec with the lowest layer that carries one."
            )
        _check_shapes(path, pair, adapter.spec)
        for factor, tensor in pair._asdict().items():
            _check_values(f"{path}.{factor}", tensor)
            dtypes.add(tensor.dtype)
    if len(dtypes) > 1:
        raise InvalidAdapterError(f"dtypes {_names(dtypes)} are mixed; convert the adapter to one of them")


def tensor_digest(adapter: Adapter) -> str:
    """SHA-256 (hex) over name, dtype, shape and little-endian bytes of every factor, in order of names."""
    sha = hashlib.sha256()
    for path in sorted(adapter.pairs):
        for factor, tensor in adapter.pairs[path]._asdict().items():
            shape = "x".join(map(str, tensor.shape))
            sha.update(f"{path}.{factor} {DTYPES[tensor.dtype]} {shape}\n".encode())
            sha.update(_bytes(tensor))
    return sha.hexdigest()


def all_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite; a sum carries either, so one pass without a mask is mostly enough."""
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().to("cpu").contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def _check_shapes(path: str, pair: LoraPair, spec: LoraSpec) -> None:
    A, B = tuple(pair.A.shape), tuple(pair.B.shape)
    if len(A) != 2 or len(B) != 2 or A[0] != spec.rank or B[1] != spec.rank or 0 in (*A, *B):
        raise InvalidAdapterError(
            f"{path}: A, B have shapes {A}, {B}; expected ({spec.rank}, d_in) and (d_out, {spec.rank}) "
            f"for rank {spec.rank}"
        )


def _check_values(name: str, tensor: Tensor) -> None:
    if tensor.dtype not in DTYPES:
        raise InvalidAdapterError(f"{name}: has dtype {tensor.dtype}; expected one of {_names(set(DTYPES))}")
    if not all_finite(tensor):
        bad = int((~torch.isfinite(tensor)).sum())
        raise InvalidAdapterError(
            f"{name}: {bad} of {tensor.numel()} values are NaN or infinite. "
            f"The training diverged: lower the learning rate and train again."
        )


def _names(dtypes: set[torch.dtype]) -> str:
    return ", ".join(sorted(str(d).removeprefix("torch.") for d in dtypes))
