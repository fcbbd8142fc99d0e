"""Rows without padding: the layout, and models that run on it."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lora.packed_attention import AttentionPlan, packed_attention, packed_inputs, supports_packing
from adapters.lora.packing import common_beginning, pack
from tests.adapters.tiny import ARCHITECTURES, tiny_model

ROWS = st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple)  # few ids: beginnings often agree
GROUPS = st.lists(st.lists(ROWS, min_size=1, max_size=4), min_size=1, max_size=4)


@given(groups=GROUPS)
def test_every_token_is_found_at_home_with_its_position(groups: list[list[tuple[int, ...]]]) -> None:
    packed = pack(groups)
    rows = [row for group in groups for row in group]
    for row, home in zip(rows, packed.homes, strict=True):
        assert packed.input_ids[0, home].tolist() == list(row)
        assert packed.position_ids[0, home].tolist() == list(range(len(row)))
    assert sum(packed.group_lengths) == packed.total


@given(groups=GROUPS)
def test_what_a_row_has_in_common_with_the_one_before_it_is_stored_once(
    groups: list[list[tuple[int, ...]]],
) -> None:
    lengths = pack(groups).group_lengths
    for group, length in zip(groups, lengths, strict=True):
        assert length == sum(map(len, group)) - sum(common_beginning(a, b) for a, b in pairwise(group))


@given(a=ROWS, b=ROWS)
def test_a_common_beginning_is_the_longest(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    shared = common_beginning(a, b)
    assert a[:shared] == b[:shared]
    assert shared in (len(a), len(b)) or a[shared] != b[shared]


def test_nested_beginnings_are_each_stored_once() -> None:
    # 1 2 shared by all, 3 by two of them: 1 2 3 4 · 5 · 6 7 and nothing for a row that another begins with
    packed = pack([[(1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 6, 7), (1, 2)]])
    assert packed.input_ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert packed.homes[3].tolist() == [0, 1]


@given(groups=GROUPS)
@settings(max_examples=40, deadline=None)
def test_attention_is_that_of_each_row_alone(groups: list[list[tuple[int, ...]]]) -> None:
    """Queries, keys and values drawn per packed token; 4 heads share 2 key heads."""
    packed = pack(groups)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(packed.total, heads, 8, generator=generator) for heads in (4, 2, 2))
    out = AttentionPlan.of(packed).attend(q, k, v, scale=None)
    for home in packed.homes:
        alone = torch.nn.functional.scaled_dot_product_attention(
            *(t[home].transpose(0, 1) for t in (q, k, v)), is_causal=True, enable_gqa=True
        )
        torch.testing.assert_close(out[home], alone.transpose(0, 1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_models_give_packed_rows_their_own_logits(kind: str) -> None:
    model = tiny_model(kind)
    groups = [[(5, 6, 7, 8), (5, 6, 9)], [(1, 2, 3)], [(4,), (4, 5)]]
    packed = pack(groups)
    with torch.no_grad():
        with packed_attention(model):
            assert supports_packing(model, longest_row=4)
            together = model(**packed_inputs(packed)).logits[0]
        rows = [row for group in groups for row in group]
        for row, home in zip(rows, packed.homes, strict=True):
            alone = model(torch.tensor([row])).logits[0]
            torch.testing.assert_close(together[home], alone, atol=1e-5, rtol=0)


def test_other_architectures_and_short_windows_are_not_packed() -> None:
    model = tiny_model("mixtral")
    model.config.sliding_window = 8
    assert supports_packing(model, longest_row=8)
    assert not supports_packing(model, longest_row=9)
    model.config.model_type = "gpt2"
    assert not supports_packing(model, longest_row=1)


@pytest.mark.parametrize("groups", [[], [[]], [[()]], [[(1,), ()]]])
def test_nothing_to_pack_is_an_error(groups: list[list[tuple[int, ...]]]) -> None:
    with pytest.raises(ValueError, match="expected at least one token in each row"):
        pack(groups)
