from __future__ import annotations

import pytest
import torch

from adapters.errors import BaseMismatchError
from adapters.lora.layers import StackedLinear, StackedLora
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter, zero_of_shapes
from adapters.store.tensors import check_tensors
from tests.adapters.tiny import ARCHITECTURES, tiny_model


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_zero_adapter_leaves_every_logit_as_it_was(kind: str) -> None:
    model = tiny_model(kind)
    ids = torch.arange(12).reshape(1, 12)
    before = model(input_ids=ids).logits
    zero = zero_adapter(model, LoraSpec())
    assert not any(isinstance(module, StackedLinear) for module in model.modules())
    stack = StackedLora.attach(model, LoraSpec(), n_slots=1)
    stack.load(0, zero)
    with stack.route([0]):
        assert torch.equal(model(input_ids=ids).logits, before)


def test_it_is_publishable_and_in_float32_whatever_the_base_is_in() -> None:
    zero = zero_adapter(tiny_model("llama").to(torch.bfloat16), LoraSpec(rank=2))
    check_tensors(zero)
    assert {tensor.dtype for pair in zero.pairs.values() for tensor in pair} == {torch.float32}
    assert not any(tensor.any() for pair in zero.pairs.values() for tensor in pair)


def test_shapes_are_input_then_output() -> None:
    pair = zero_of_shapes(LoraSpec(rank=3, targets=("q_proj",)), {"q_proj": (5, 7)}).pairs["q_proj"]
    assert (pair.A.shape, pair.B.shape) == ((3, 5), (7, 3))


def test_targets_that_the_model_lacks_are_refused() -> None:
    with pytest.raises(BaseMismatchError, match="w_proj"):
        zero_adapter(tiny_model("llama"), LoraSpec(targets=("w_proj",)))
