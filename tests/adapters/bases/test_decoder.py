"""Our walk over decoder layers: the models' own outputs and gradients, from any layer to any layer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2MoeConfig,
)

from adapters.bases.decoder import Decoder, packed_attend
from adapters.errors import BaseModelError
from adapters.lora.packed_attention import ARCHITECTURES as SERVED
from adapters.lora.packed_attention import AttentionPlan
from adapters.lora.packing import pack
from tests.adapters import tiny

_SHAPE = {
    "vocab_size": tiny.VOCAB,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.1,
}
_EXPERTS = {"num_experts": 4, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32}
_OTHERS = {
    "mistral": lambda: MistralConfig(**_SHAPE, sliding_window=None),
    "qwen2": lambda: Qwen2Config(**_SHAPE),
    "qwen2_moe": lambda: Qwen2MoeConfig(**_SHAPE, **_EXPERTS),
}
ROWS = ((5, 6, 7, 8), (5, 6, 9), (1, 2, 3))


def model_of(kind: str) -> PreTrainedModel:
    if kind in tiny.ARCHITECTURES:
        return tiny.tiny_model(kind)
    config: Callable[[], PretrainedConfig] = _OTHERS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config()).requires_grad_(False).eval()


@pytest.mark.parametrize("kind", sorted(SERVED))
def test_a_walk_gives_packed_rows_the_logits_of_the_model_itself(kind: str) -> None:
    """All served architectures; the walk is interrupted after the first layer."""
    model = model_of(kind)
    decoder = Decoder(model)
    packed = pack([ROWS[:2], ROWS[2:]])
    attend = packed_attend(AttentionPlan.of(packed))
    with torch.inference_mode():
        hidden = decoder.embed(packed.input_ids)
        angles = decoder.angles(hidden, packed.position_ids)
        hidden = decoder.run(hidden, angles, attend, last=1)
        hidden = decoder.run(hidden, angles, attend, first=1)
        logits = model.get_output_embeddings()(decoder.norm(hidden))[0]
        for row, home in zip(ROWS, packed.homes, strict=True):
            torch.testing.assert_close(
                logits[home], model(torch.tensor([row])).logits[0], atol=1e-5, rtol=1e-4
            )


@pytest.mark.parametrize("kind", sorted(SERVED))
def test_a_layer_computed_for_some_tokens_gives_those_the_same(kind: str) -> None:
    model = model_of(kind)
    decoder = Decoder(model)
    packed = pack([ROWS[:2], ROWS[2:]])
    plan = AttentionPlan.of(packed)
    wanted = torch.tensor([home[-1] for home in packed.homes])

    def attend(_layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        everywhere = query.new_zeros(1, packed.total, *query.shape[2:])
        everywhere[:, wanted] = query
        return plan.attend(everywhere[0], key[0], value[0], None)[None, wanted]

    with torch.inference_mode():
        hidden = decoder.embed(packed.input_ids)
        angles = decoder.angles(hidden, packed.position_ids)
        expected = decoder.run(hidden, angles, packed_attend(plan), last=1)[:, wanted]
        kept = decoder.keys_and_values(0, hidden, angles)
        found = decoder.outputs(0, hidden[:, wanted], angles.at(wanted), kept, attend)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_gradients_are_those_of_the_model_itself() -> None:
    """With respect to what enters the first layer."""
    model = model_of("qwen3")
    decoder = Decoder(model)
    row = torch.tensor([[5, 6, 7, 8, 9]])
    packed = pack([[row[0].tolist()]])
    ours = decoder.embed(row).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    angles = decoder.angles(ours, packed.position_ids)
    hidden = decoder.norm(decoder.run(ours, angles, packed_attend(AttentionPlan.of(packed))))
    hidden.square().sum().backward()
    model.base_model(inputs_embeds=theirs).last_hidden_state.square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-4)


def test_an_architecture_with_other_layers_is_refused_by_name() -> None:
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=8, n_positions=8))
    with pytest.raises(BaseModelError, match=r"'gpt2'.*llama.*vLLM"):
        Decoder(model)
