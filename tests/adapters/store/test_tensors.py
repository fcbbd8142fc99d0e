from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from adapters.errors import InvalidAdapterError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.store.tensors import check_tensors, tensor_digest
from tests.adapters.store.samples import adapter

PATH = "model.layers.0.self_attn.q_proj"


def with_pair(change: Callable[[LoraPair], LoraPair]) -> Adapter:
    one = adapter()
    return replace(one, pairs={**one.pairs, PATH: change(one.pairs[PATH])})


def set_one(tensor: torch.Tensor, value: float) -> torch.Tensor:
    changed = tensor.clone()
    changed[-1, -1] = value
    return changed


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_servable_dtype_passes(dtype: torch.dtype) -> None:
    check_tensors(adapter(dtype=dtype))


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (
            lambda: with_pair(lambda p: p._replace(A=set_one(p.A, float("nan")))),
            rf"{PATH}\.A: 1 of 16 values",
        ),
        (
            lambda: with_pair(lambda p: p._replace(B=set_one(p.B, float("inf")))),
            rf"{PATH}\.B: 1 of 16 values",
        ),
        (lambda: with_pair(lambda p: p._replace(A=p.A.double())), "float64; expected one of"),
        (lambda: with_pair(lambda p: p._replace(A=p.A.int())), "int32; expected one of"),
        (lambda: with_pair(lambda p: p._replace(A=p.A.half())), "mixed"),
        (lambda: with_pair(lambda p: p._replace(A=p.A[:1])), "shapes"),
        (lambda: with_pair(lambda p: p._replace(B=p.B.T)), "shapes"),
        (lambda: with_pair(lambda p: p._replace(A=p.A[:, :0])), "shapes"),
        (lambda: with_pair(lambda p: p._replace(A=p.A[0])), "shapes"),
        (lambda: replace(adapter(), pairs={}), "no layers"),
        (lambda: replace(adapter(), spec=LoraSpec(2, 4.0, ("q_proj", "k_proj"))), "targets"),
        (lambda: replace(adapter(), spec=LoraSpec(2, 4.0, ("q_proj",))), "targets"),
        (
            lambda: replace(adapter(), pairs={"../x.q_proj": adapter().pairs[PATH], **adapter().pairs}),
            "not a module path",
        ),
    ],
)
def test_what_could_never_serve_is_refused_by_name(bad: Callable[[], Adapter], named: str) -> None:
    with pytest.raises(InvalidAdapterError, match=named):
        check_tensors(bad())


def test_the_digest_is_the_hash_of_these_bytes() -> None:
    """Revision ids depend on it for ever: names in order, dtype, shape, little-endian values."""
    A, B = np.array([[1.0, 2.0]], "<f4"), np.array([[0.5], [-1.0]], "<f4")
    one = Adapter(LoraSpec(1, 1.0, ("q_proj",)), {"q_proj": LoraPair(torch.tensor(A), torch.tensor(B))})
    content = b"q_proj.A F32 1x2\n" + A.tobytes() + b"q_proj.B F32 2x1\n" + B.tobytes()
    assert tensor_digest(one) == hashlib.sha256(content).hexdigest()


def test_the_digest_ignores_order_memory_layout_and_gradients() -> None:
    one = adapter()
    pairs = {
        path: LoraPair(pair.A.T.contiguous().T, pair.B.clone().requires_grad_())
        for path, pair in reversed(one.pairs.items())
    }
    assert tensor_digest(replace(one, pairs=pairs)) == tensor_digest(one)


def test_the_digest_sees_value_dtype_and_name() -> None:
    renamed = {path.replace("layers.1", "layers.2"): pair for path, pair in adapter().pairs.items()}
    others = [
        adapter(1),
        adapter(dtype=torch.bfloat16),
        adapter(dtype=torch.float16),
        with_pair(lambda p: p._replace(A=-p.A)),
        replace(adapter(), pairs=renamed),
    ]
    assert len({tensor_digest(one) for one in [adapter(), *others]}) == 6
