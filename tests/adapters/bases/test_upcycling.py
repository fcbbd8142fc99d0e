"""An upcycled model says what the dense one says, whatever its routers choose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adapters.bases.experts import fuse_experts
from adapters.bases.upcycling import expert_blocks, train_experts_only, upcycle
from adapters.errors import BaseModelError
from tests.adapters.tiny import tiny_model

IDS = torch.arange(3, 63).reshape(3, 20)


@pytest.mark.parametrize(("experts", "top_k"), [(2, 1), (4, 2), (3, 3)])
def test_the_output_is_the_dense_one(experts: int, top_k: int) -> None:
    dense = tiny_model("llama")
    sparse = upcycle(dense, experts, top_k, np.random.default_rng(0))
    with torch.no_grad():
        expected = dense(input_ids=IDS).logits
        torch.testing.assert_close(sparse(input_ids=IDS).logits, expected, atol=1e-5, rtol=1e-5)
        fuse_experts(sparse)
        torch.testing.assert_close(sparse(input_ids=IDS).logits, expected, atol=1e-5, rtol=1e-5)


def test_it_reads_back_from_its_folder_as_it_was(tmp_path: object) -> None:
    from transformers import AutoModelForCausalLM

    sparse = upcycle(tiny_model("llama"), 4, 2, np.random.default_rng(0))
    sparse.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(input_ids=IDS).logits, sparse(input_ids=IDS).logits)


def test_routers_differ_by_layer_and_follow_the_generator() -> None:
    one, same, other = (upcycle(tiny_model("llama"), 4, 2, np.random.default_rng(s)) for s in (5, 5, 6))
    gates = [[block.gate.weight for block in expert_blocks(model)] for model in (one, same, other)]
    assert all(torch.equal(a, b) for a, b in zip(gates[0], gates[1], strict=True))
    assert not torch.equal(gates[0][0], gates[2][0])
    assert not torch.equal(gates[0][0], gates[0][1])


def test_the_dense_model_keeps_its_own_weights() -> None:
    dense = tiny_model("llama")
    before = {key: value.clone() for key, value in dense.state_dict().items()}
    sparse = upcycle(dense, 2, 1, np.random.default_rng(0))
    with torch.no_grad():
        for parameter in sparse.parameters():
            parameter.add_(1)
    assert all(torch.equal(value, before[key]) for key, value in dense.state_dict().items())


def test_only_experts_and_routers_are_left_to_train() -> None:
    sparse = upcycle(tiny_model("llama"), 2, 1, np.random.default_rng(0))
    train_experts_only(sparse)
    trained = {name for name, parameter in sparse.named_parameters() if parameter.requires_grad}
    assert trained
    assert all(".block_sparse_moe." in name for name in trained)


@pytest.mark.parametrize(
    ("kind", "experts", "top_k", "complaint"),
    [
        ("qwen3", 4, 2, "got a qwen3 base; expected the Llama architecture"),
        ("llama", 1, 1, "1 experts with top-k 1; expected at least 2"),
        ("llama", 4, 5, "4 experts with top-k 5"),
        ("llama", 4, 0, "4 experts with top-k 0"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, experts: int, top_k: int, complaint: str) -> None:
    with pytest.raises(BaseModelError, match=complaint):
        upcycle(tiny_model(kind), experts, top_k, np.random.default_rng(0))


def test_widths_that_servers_cannot_run_are_refused() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64, hidden_size=48, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4
    )
    with pytest.raises(BaseModelError, match="hidden_size 48; servers run mixtures only of widths"):
        upcycle(LlamaForCausalLM(config), 2, 1, np.random.default_rng(0))
