"""Rows: every adapter goes in and comes out as it was, and experts stack."""

from __future__ import annotations

import contextlib
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.store.packs.layout import RowLayout
from adapters.store.tensors import tensor_digest
from adapters.untrusted import UntrustedError
from tests.adapters.hostile import mutations, nested, short
from tests.adapters.store.packs.samples import expert_adapter
from tests.adapters.store.samples import adapter, same_tensors

PATHS = st.sampled_from(
    [
        "a.q",
        "a.b.q",
        "layers.0.experts.0.q",
        "layers.0.experts.1.q",
        "layers.0.experts.2.q",
        "layers.0.experts.10.q",
        "layers.0.experts.00.q",
        "layers.1.experts.0.q",
        "layers.1.experts.1.q",
        "experts.0.q",
    ]
)


@st.composite
def adapters(draw: st.DrawFn) -> Adapter:
    """Any paths, experts with gaps and of unequal size among them."""
    rank = draw(st.integers(1, 3))
    dtype = draw(st.sampled_from([torch.float32, torch.float16, torch.bfloat16]))
    pairs = {}
    for path in draw(st.sets(PATHS, min_size=1)):
        d_in, d_out = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        pairs[path] = LoraPair(torch.randn(rank, d_in).to(dtype), torch.randn(d_out, rank).to(dtype))
    return Adapter(LoraSpec(rank, 1.0, ("q",)), pairs)


def row_of(one: Adapter, layout: RowLayout) -> torch.Tensor:
    row = torch.full((layout.length,), torch.nan, dtype=layout.torch_dtype)
    layout.flatten(one, row)
    return row


@given(adapters())
def test_an_adapter_comes_out_of_its_row_bit_for_bit(one: Adapter) -> None:
    layout = RowLayout.of(one)
    row = row_of(one, layout)
    assert same_tensors(layout.adapter(row), one)
    assert row.numel() == sum(tensor.numel() for pair in one.pairs.values() for tensor in pair)
    assert RowLayout.from_json(layout.to_json()) == layout


@given(adapters())
def test_the_digest_of_a_row_is_that_of_the_adapter(one: Adapter) -> None:
    layout = RowLayout.of(one)
    content = row_of(one, layout).view(torch.uint8).numpy()
    assert len(content) == layout.row_bytes
    assert layout.digest(content.data) == tensor_digest(one)


def test_experts_stack_in_the_order_of_their_numbers() -> None:
    """Twelve experts: as text, 10 would come before 2."""
    one = expert_adapter(layers=1, experts=12)
    layout = RowLayout.of(one)
    stacked = layout.stacked(row_of(one, layout)[None])
    A = stacked["model.layers.0.mlp.experts.*.gate_proj"].A
    assert A.shape == (1, 12, 1, 4)
    for expert in range(12):
        assert torch.equal(A[0, expert], one.pairs[f"model.layers.0.mlp.experts.{expert}.gate_proj"].A)
    assert stacked["model.layers.0.self_attn.q_proj"].B.shape == (1, 4, 1)


def test_the_published_count_of_tensors_is_reached() -> None:
    """48 layers × (128 experts × 3 + 4) linears × 2 = 37,248; stacked, 48 × (3 + 4) × 2 = 672 (2605.13779)."""
    pair = LoraPair(torch.zeros(1, 2), torch.zeros(2, 1))
    attention = ("q_proj", "k_proj", "v_proj", "o_proj")
    mixture = ("gate_proj", "up_proj", "down_proj")
    paths = [f"layers.{layer}.self_attn.{name}" for layer in range(48) for name in attention]
    paths += [
        f"layers.{layer}.mlp.experts.{e}.{name}"
        for layer in range(48)
        for e in range(128)
        for name in mixture
    ]
    one = Adapter(LoraSpec(1, 1.0, attention + mixture), dict.fromkeys(paths, pair))
    assert 2 * len(one.pairs) == 37_248
    assert len(RowLayout.of(one).shapes) == 672


def test_stacks_of_many_rows_are_views_of_them() -> None:
    some = [adapter(seed) for seed in range(3)]
    layout = RowLayout.of(some[0])
    rows = torch.stack([row_of(one, layout) for one in some])
    for path, stack in layout.stacked(rows).items():
        assert torch.equal(stack.A, torch.stack([one.pairs[path].A for one in some]))
        assert torch.equal(stack.B, torch.stack([one.pairs[path].B for one in some]))
        assert stack.A.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()


VALID = RowLayout.of(expert_adapter()).to_json()


def changed(**values: object) -> str:
    return json.dumps({**json.loads(VALID), **values})


Q = ["a.q_proj", 0, 4, 4]
SPEC = {"rank": 1, "alpha": 2.0, "targets": ["q_proj"], "rslora": False}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "other keys"),
        (changed(more=1), "other keys"),
        (changed(dtype="F64"), "of dtype 'F64'"),
        (changed(dtype=["F32"]), "of dtype"),
        (changed(modules={}), "without modules"),
        (changed(modules=[]), "missing, repeated"),
        (changed(spec=SPEC, modules=[Q, Q]), "missing, repeated"),
        (changed(spec=SPEC, modules=[["b.q_proj", 0, 4, 4], Q]), "out of order"),
        (changed(modules=[["a.q_proj", 0, 0, 4]]), "which is none"),
        (changed(modules=[["a.q_proj", -1, 4, 4]]), "which is none"),
        (changed(modules=[["a.*.q_proj", 0, 4, 4]]), "which is none"),
        (changed(modules=[["a.q_proj", 2, 4, 4]]), "which is none"),
        (changed(modules=[["../q_proj", 0, 4, 4]]), "which is none"),
        (changed(modules=[["a.q_proj", 0, 4]]), "which is none"),
        (changed(modules=[nested(30)]), "which is none"),
        (changed(modules=[["a.*.b.*.q_proj", 2, 4, 4]]), "which is none"),
        (changed(modules=[["experts.*.q_proj", 2, 4, 4]]), "which is none"),
        (changed(modules=[["a.experts.*.experts.1.q_proj", 2, 4, 4]]), "which is none"),
        (changed(modules=[["a.experts.*.q_proj", 1 << 40, 4, 4]]), "more than"),
        (
            changed(spec=SPEC, modules=[["a.experts.*.q_proj", 2, 4, 4], ["a.experts.1.q_proj", 0, 4, 4]]),
            "same linear twice",
        ),
        (changed(spec=SPEC), "not its targets"),
        (changed(spec={**SPEC, "first_layer": 1}, modules=[Q]), "of layers from 1 on, with the module"),
        (changed(spec={**SPEC, "first_layer": "1"}), "without a spec"),
        (changed(spec={**SPEC, "rank": 0}), "without a spec"),
        (changed(spec={**SPEC, "rank": 10**400}), "without a spec"),
        (changed(spec={**SPEC, "alpha": 10**400}), "without a spec"),
        (changed(spec={**SPEC, "targets": [["q_proj"]]}), "without a spec"),
        (changed(spec=None), "without a spec"),
    ],
    ids=short,
)
def test_a_layout_that_none_could_have_is_refused(text: str, message: str) -> None:
    with pytest.raises(UntrustedError, match=message):
        RowLayout.from_json(text)


@given(mutations(VALID.encode()))
def test_no_text_does_worse_than_being_refused(content: bytes) -> None:
    with contextlib.suppress(UntrustedError):
        RowLayout.from_json(content.decode("latin-1"))
