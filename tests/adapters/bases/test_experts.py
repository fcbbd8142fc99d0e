"""The sorted mixture-of-experts block is the Hugging Face block, only faster."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from adapters.bases.experts import fuse_experts

SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def qwen3_moe(**changes: object) -> PreTrainedModel:
    torch.manual_seed(0)
    config = {"moe_intermediate_size": 32, "num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True}
    return Qwen3MoeForCausalLM(Qwen3MoeConfig(**{**SMALL, **config, **changes})).eval()


def mixtral(**changes: object) -> PreTrainedModel:
    torch.manual_seed(0)
    config = {"num_local_experts": 4, "num_experts_per_tok": 2}
    return MixtralForCausalLM(MixtralConfig(**{**SMALL, **config, **changes})).eval()


FAMILIES = {
    "qwen3-moe": qwen3_moe,
    "qwen3-moe, weights not normalised": lambda: qwen3_moe(norm_topk_prob=False),
    "qwen3-moe, every second layer dense": lambda: qwen3_moe(decoder_sparse_step=2),
    "mixtral": mixtral,
}


@pytest.fixture(params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> tuple[PreTrainedModel, PreTrainedModel]:
    plain = FAMILIES[request.param]()
    fused = copy.deepcopy(plain)
    assert fuse_experts(fused) > 0
    return plain, fused


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(64, (rows, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (3, 17)])
def test_logits_equal_the_hugging_face_block(
    pair: tuple[PreTrainedModel, PreTrainedModel], shape: tuple[int, int]
) -> None:
    plain, fused = pair
    with torch.no_grad():
        expected, got = plain(ids(*shape)).logits, fused(ids(*shape)).logits
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)


def test_router_logits_come_back_as_before(pair: tuple[PreTrainedModel, PreTrainedModel]) -> None:
    outputs = [m(ids(2, 9), output_router_logits=True) for m in pair]
    assert len(outputs[0].router_logits) == len(outputs[1].router_logits) > 0
    for expected, got in zip(outputs[0].router_logits, outputs[1].router_logits, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(outputs[1].aux_loss, outputs[0].aux_loss)


def test_full_training_gets_the_same_gradients(pair: tuple[PreTrainedModel, PreTrainedModel]) -> None:
    for model in pair:
        model.train()(ids(2, 9), labels=ids(2, 9), output_router_logits=True).loss.backward()
    plain, fused = ({n: p.grad for n, p in m.named_parameters()} for m in pair)
    assert plain.keys() == fused.keys()
    for name, expected in plain.items():
        if expected is None or fused[name] is None:  # an expert that no token chose
            assert fused[name] is None or not fused[name].any(), name
            assert expected is None or not expected.any(), name
        else:
            torch.testing.assert_close(fused[name], expected, atol=1e-6, rtol=1e-5)


def test_checkpoints_keep_names_and_values(
    pair: tuple[PreTrainedModel, PreTrainedModel], tmp_path: Path
) -> None:
    plain, fused = pair
    fused.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.state_dict().keys() == plain.state_dict().keys()
    assert all(torch.equal(again.state_dict()[n], t) for n, t in plain.state_dict().items())


def test_weights_changed_after_fusing_count() -> None:
    model = qwen3_moe()
    fuse_experts(model)
    with torch.no_grad():
        before = model(ids(1, 8)).logits
        model.model.layers[0].mlp.experts[0].down_proj.weight.mul_(3)
        model.model.layers[0].mlp.experts[1].down_proj.weight.mul_(3)
        assert not torch.allclose(model(ids(1, 8)).logits, before, atol=1e-6)


def test_adapters_on_the_experts_are_not_passed_over() -> None:
    """PEFT wraps an expert's linear and still offers `.weight`; the wrapper must run, not the weight."""
    peft = pytest.importorskip("peft")
    models = [qwen3_moe(), qwen3_moe()]
    fuse_experts(models[1])
    config = peft.LoraConfig(r=2, target_modules=["down_proj"], init_lora_weights=False)
    outputs = []
    for model in models:
        torch.manual_seed(3)
        with torch.no_grad():
            outputs.append(peft.get_peft_model(model, config).eval()(ids(2, 9)).logits)
    torch.testing.assert_close(outputs[1], outputs[0], atol=1e-6, rtol=0)


def test_counts_blocks_and_may_be_called_twice() -> None:
    model = qwen3_moe()
    assert (fuse_experts(model), fuse_experts(model)) == (2, 2)


def test_dense_models_and_jittered_routers_are_left_alone() -> None:
    assert fuse_experts(LlamaForCausalLM(LlamaConfig(**SMALL))) == 0
    assert fuse_experts(mixtral(router_jitter_noise=0.1)) == 0


def test_bfloat16_autocast_and_low_precision_weights_run() -> None:
    model = qwen3_moe()
    fuse_experts(model)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(ids(2, 5)).logits.isfinite().all()
    with torch.no_grad():
        assert model.to(torch.bfloat16)(ids(2, 5)).logits.dtype == torch.bfloat16
