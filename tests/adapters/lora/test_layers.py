"""Stacked LoRA against PEFT, against the base, and slot against slot."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel

from adapters.errors import BaseMismatchError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.inits import fresh_adapter, stack_shapes
from adapters.lora.layers import StackedLora
from adapters.lora.peft_io import write_peft
from adapters.lora.spec import LoraSpec
from tests.adapters.tiny import ARCHITECTURES, VOCAB, tiny_model

SPEC = LoraSpec(rank=4, alpha=16.0)


def random_adapter(stack: StackedLora, seed: int) -> Adapter:
    """Both factors non-zero, large enough to move the logits visibly."""
    generator = torch.Generator().manual_seed(seed)
    start = fresh_adapter(stack.spec, stack_shapes(stack), generator)
    pairs = {
        path: LoraPair(A, torch.empty_like(B).normal_(0, 0.1, generator=generator))
        for path, (A, B) in start.pairs.items()
    }
    return Adapter(stack.spec, pairs)


def tokens(rows: int, length: int = 11, seed: int = 5) -> Tensor:
    return torch.randint(VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))


def logits(model: PreTrainedModel, ids: Tensor) -> Tensor:
    with torch.no_grad():
        return model(ids).logits


@pytest.fixture
def model() -> PreTrainedModel:
    return tiny_model("qwen3_moe")


@pytest.fixture
def stack(model: PreTrainedModel) -> Iterator[StackedLora]:
    stack = StackedLora.attach(model, SPEC, 4)
    for slot in range(4):
        stack.load(slot, random_adapter(stack, seed=slot))
    yield stack
    stack.detach()


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("rslora", [False, True])
def test_logits_equal_pefts_for_the_same_adapter(kind: str, rslora: bool, tmp_path: Path) -> None:
    """Contract: within 1e-5 in float32."""
    model, ids = tiny_model(kind), tokens(3)
    stack = StackedLora.attach(model, LoraSpec(rslora=rslora), 2)
    adapter = random_adapter(stack, seed=1)
    stack.load(1, adapter)
    with stack.route([1, 1, 1]):
        ours = logits(model, ids)
    stack.detach()
    base = logits(model, ids)
    write_peft(adapter, tmp_path, base_ref="tiny")
    theirs = logits(PeftModel.from_pretrained(model, tmp_path), ids)
    assert (ours - base).abs().max() > 0.01
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_adapters_of_the_upper_layers_answer_as_under_peft(kind: str, tmp_path: Path) -> None:
    """Only the linears of `first_layer` and above are wrapped; PEFT reads from our folder which they are."""
    model, ids = tiny_model(kind), tokens(2)
    stack = StackedLora.attach(model, LoraSpec(first_layer=1), 1)
    assert {path.split(".")[2] for path in stack.layers} == {"1"}
    adapter = random_adapter(stack, seed=1)
    stack.load(0, adapter)
    with stack.route([0, 0]):
        ours = logits(model, ids)
    stack.detach()
    base = logits(model, ids)
    write_peft(adapter, tmp_path, base_ref="tiny")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PEFT would name missing tensors
        theirs = PeftModel.from_pretrained(model, tmp_path)
    assert {name.split(".")[4] for name, _ in theirs.named_parameters() if "lora_" in name} == {"1"}
    assert (ours - base).abs().max() > 0.01
    torch.testing.assert_close(ours, logits(theirs, ids), atol=1e-5, rtol=0)


def test_below_the_first_layer_nothing_changes(model: PreTrainedModel) -> None:
    """Hidden states that enter the first adapted layer are the base's, bit for bit."""
    ids = tokens(2)

    def entering() -> Tensor:
        with torch.no_grad():
            return model(ids, output_hidden_states=True).hidden_states[1]

    base = entering()
    stack = StackedLora.attach(model, LoraSpec(first_layer=1), 1)
    stack.load(0, random_adapter(stack, seed=1))
    with stack.route([0, 0]):
        assert torch.equal(entering(), base)


@given(rows=st.lists(st.integers(-1, 3), min_size=1, max_size=7))
@settings(max_examples=15, deadline=None)
def test_every_row_of_any_mix_answers_as_it_would_alone(rows: list[int]) -> None:
    model = tiny_model("llama")
    stack = StackedLora.attach(model, SPEC, 4)
    for slot in range(4):
        stack.load(slot, random_adapter(stack, seed=slot))
    ids = tokens(len(rows))
    with stack.route(rows):
        mixed = logits(model, ids)
    for i, slot in enumerate(rows):
        with stack.route([slot]):
            alone = logits(model, ids[i : i + 1])
        torch.testing.assert_close(mixed[i : i + 1], alone, atol=1e-5, rtol=0)


def test_base_rows_in_a_mixed_batch_are_the_base_bit_for_bit(
    model: PreTrainedModel, stack: StackedLora
) -> None:
    ids = tokens(5)
    with stack.route([-1, -1, -1, -1, -1]):
        all_base = logits(model, ids)
    unrouted = logits(model, ids)
    with stack.route(torch.tensor([2, -1, 0, 2, -1])):
        mixed = logits(model, ids)
    stack.detach()
    assert torch.equal(all_base, logits(model, ids))
    assert torch.equal(unrouted, all_base)
    # Rows of adapters move other tokens between experts, so the products of the experts are of other sizes:
    # equal up to rounding for the whole model, equal in bits for every wrapped layer.
    torch.testing.assert_close(mixed[[1, 4]], all_base[[1, 4]], atol=1e-5, rtol=0)
    layer = stack.layers["model.layers.0.self_attn.q_proj"]
    x = torch.randn(5, 3, 32, generator=torch.Generator().manual_seed(0))
    with stack.route([2, -1, 0, 2, -1]):
        assert torch.equal(layer(x)[[1, 4]], layer.base(x)[[1, 4]])


def test_a_fresh_adapter_leaves_logits_equal(model: PreTrainedModel, stack: StackedLora) -> None:
    ids = tokens(2)
    base = logits(model, ids)
    stack.load(3, fresh_adapter(SPEC, stack_shapes(stack), torch.Generator().manual_seed(9)))
    with stack.route([3, 3]):
        assert torch.equal(logits(model, ids), base)


def test_setting_one_slot_changes_no_other(model: PreTrainedModel, stack: StackedLora) -> None:
    ids = tokens(4)
    with stack.route([0, 1, 2, 3]):
        before = logits(model, ids)
        stack.load(2, random_adapter(stack, seed=77))
        after = logits(model, ids)
        stack.clear(2)
        cleared = logits(model, ids)
    others = [0, 1, 3]
    torch.testing.assert_close(after[others], before[others], atol=1e-5, rtol=0)
    assert (after[2] - before[2]).abs().max() > 0.01
    torch.testing.assert_close(cleared[2], logits(model, ids)[2], atol=1e-5, rtol=0)


def test_gradients_reach_only_the_routed_slot(model: PreTrainedModel, stack: StackedLora) -> None:
    for layer in stack.layers.values():
        layer.requires_grad_(True)
        layer.base.requires_grad_(False)
    with stack.route([1, 1]):
        model(tokens(2)).logits.square().mean().backward()
    for layer in stack.layers.values():
        assert layer.A.grad is not None
        assert layer.A.grad[1].abs().max() > 0
        assert layer.A.grad[[0, 2, 3]].abs().max() == 0


def test_packed_segments_give_the_outputs_and_gradients_of_rows(stack: StackedLora) -> None:
    """The fused route for packed tokens against autograd through the row route, one linear."""
    layer = stack.layers["model.layers.1.self_attn.k_proj"]
    layer.requires_grad_(True)
    layer.base.requires_grad_(False)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4, 6, 32, generator=generator, requires_grad=True)
    weight = torch.randn(4, 6, 16, generator=generator)
    results = []
    for packed in (False, True):
        layer.zero_grad()
        x.grad = None
        if packed:
            with stack.route_segments([2, -1, 0, 0], [6, 6, 6, 6]):
                y = layer(x.reshape(1, 24, 32)).reshape(4, 6, 16)
        else:
            with stack.route([2, -1, 0, 0]):
                y = layer(x)
        (y * weight).sum().backward()
        results.append((y.detach(), x.grad, layer.A.grad, layer.B.grad))
    for rows, segments in zip(*results, strict=True):
        torch.testing.assert_close(segments, rows, atol=1e-5, rtol=1e-5)


def test_adapters_in_float32_serve_a_bfloat16_base() -> None:
    model = tiny_model("llama").to(torch.bfloat16)
    stack = StackedLora.attach(model, SPEC, 2, dtype=torch.float32)
    layer = stack.layers["model.layers.0.self_attn.q_proj"]
    assert layer.A.dtype == torch.float32
    stack.load(0, random_adapter(stack, seed=0))
    ids = tokens(3)
    with stack.route([0, 0, -1]):
        mixed = logits(model, ids)
    with stack.route([0, 0, 0]):
        all_rows = logits(model, ids)
    with stack.route_segments([0, -1], [4, 3]):
        assert layer(torch.ones(1, 7, 32, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed[:2], all_rows[:2])


def test_export_returns_what_was_loaded_bit_for_bit(stack: StackedLora) -> None:
    adapter = random_adapter(stack, seed=2)
    stack.load(1, adapter)
    out = stack.export(1)
    stack.clear(1)
    assert out.spec == adapter.spec
    assert out.pairs.keys() == adapter.pairs.keys()
    for path, pair in adapter.pairs.items():
        assert torch.equal(out.pairs[path].A, pair.A)
        assert torch.equal(out.pairs[path].B, pair.B)
        assert out.pairs[path].B.is_contiguous()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_detach_restores_the_very_modules(kind: str) -> None:
    model = tiny_model(kind)
    before, ids = dict(model.named_modules()), tokens(2)
    expected = logits(model, ids)
    stack = StackedLora.attach(model, SPEC, 2)
    stack.load(0, random_adapter(stack, seed=0))
    stack.detach()
    assert dict(model.named_modules()) == before
    assert torch.equal(logits(model, ids), expected)


def test_routes_nest_and_end_after_an_error(model: PreTrainedModel, stack: StackedLora) -> None:
    ids = tokens(2)
    with stack.route([0, 1]):
        outer = logits(model, ids)
        with pytest.raises(RuntimeError, match="stop"), stack.route([2, 3]):
            raise RuntimeError("stop")
        assert torch.equal(logits(model, ids), outer)
    assert not torch.equal(logits(model, ids), outer)


def test_what_cannot_be_routed_is_refused(model: PreTrainedModel, stack: StackedLora) -> None:
    with pytest.raises(IndexError, match="got slot 4"), stack.route([0, 4]):
        pass
    with pytest.raises(IndexError, match="got slot -2"), stack.route_segments([-2], [3]):
        pass
    with pytest.raises(ValueError, match="2 rows were routed"), stack.route([0, 1]):
        logits(model, tokens(3))
    layer = stack.layers["model.layers.0.self_attn.q_proj"]
    with pytest.raises(ValueError, match="9 tokens were routed"), stack.route_segments([0], [9]):
        layer(torch.zeros(1, 8, 32))
    layer.base.weight.requires_grad_(True)
    with pytest.raises(ValueError, match="freeze the base"), stack.route_segments([0], [8]):
        layer(torch.zeros(1, 8, 32))
    for act in (stack.clear, stack.export, lambda slot: stack.load(slot, stack.export(0))):
        with pytest.raises(IndexError, match="expected 0 to 3"):
            act(-1)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("q_prj",), "no linear of this base is named q_prj; its linears are .*q_proj"),
        (("q_proj", "lm_head"), "lm_head: experts, routers and the output head"),
        (("gate",), "mlp.gate: experts, routers"),
        (("down_proj",), "experts.0.down_proj: experts, routers"),
        (("q_norm",), "is a Qwen3MoeRMSNorm"),
    ],
)
def test_targets_that_cannot_carry_adapters_are_named(
    model: PreTrainedModel, targets: tuple[str, ...], message: str
) -> None:
    before = dict(model.named_modules())
    with pytest.raises(BaseMismatchError, match=message):
        StackedLora.attach(model, LoraSpec(targets=targets), 2)
    assert dict(model.named_modules()) == before


def test_a_first_layer_above_the_base_is_named_with_what_there_is(model: PreTrainedModel) -> None:
    before = dict(model.named_modules())
    with pytest.raises(
        BaseMismatchError, match="first_layer: got 2; this base has 2 decoder layers, expected 0 to 1"
    ):
        StackedLora.attach(model, LoraSpec(first_layer=2), 2)
    with pytest.raises(BaseMismatchError, match="no linear of this base from layer 1 on is named lm_head"):
        StackedLora.attach(model, LoraSpec(targets=("lm_head",), first_layer=1), 2)
    assert dict(model.named_modules()) == before


def test_attaching_twice_or_without_slots_is_refused(model: PreTrainedModel, stack: StackedLora) -> None:
    with pytest.raises(BaseMismatchError, match="already carries stacked adapters"):
        StackedLora.attach(model, SPEC, 2)
    with pytest.raises(ValueError, match="n_slots: got 0"):
        StackedLora.attach(nn.Linear(2, 2), SPEC, 0)


def test_adapters_that_do_not_fit_are_refused(stack: StackedLora) -> None:
    adapter = random_adapter(stack, seed=0)
    path = next(iter(adapter.pairs))
    with pytest.raises(BaseMismatchError, match="rank 8 and scale 2; this stack holds rank 4 and scale 4"):
        stack.load(0, Adapter(LoraSpec(rank=8), adapter.pairs))
    with pytest.raises(BaseMismatchError, match="decoder layers from 1 on; this stack holds those from 0 on"):
        stack.load(0, Adapter(LoraSpec(first_layer=1), adapter.pairs))
    with pytest.raises(BaseMismatchError, match=f"differ in {path}"):
        stack.load(0, Adapter(SPEC, {k: v for k, v in adapter.pairs.items() if k != path}))
    wrong = LoraPair(torch.zeros(4, 31), adapter.pairs[path].B)
    with pytest.raises(BaseMismatchError, match=rf"{path}: the adapter has A, B of shapes \(\(4, 31\)"):
        stack.load(0, Adapter(SPEC, {**adapter.pairs, path: wrong}))
