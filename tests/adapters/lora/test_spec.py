"""The shape of an adapter as plain values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lora.spec import LoraSpec

specs = st.builds(
    LoraSpec,
    rank=st.integers(1, 512),
    alpha=st.floats(0.1, 64),
    targets=st.sampled_from([("q_proj",), ("v_proj", "q_proj")]),
    rslora=st.booleans(),
    first_layer=st.integers(0, 99),
)


@given(specs)
def test_plain_values_read_back_equal(spec: LoraSpec) -> None:
    assert LoraSpec.from_dict(spec.as_dict()) == spec


def test_an_adapter_of_all_layers_is_written_as_before_there_was_a_choice() -> None:
    """So that revisions and training keys of earlier stores stay what they are."""
    assert LoraSpec(rank=2, targets=("q_proj",)).as_dict() == {
        "rank": 2,
        "alpha": 16.0,
        "targets": ["q_proj"],
        "rslora": False,
    }
    assert LoraSpec(first_layer=3).as_dict()["first_layer"] == 3


@pytest.mark.parametrize(
    "change", [{"first_layer": True}, {"first_layer": "1"}, {"first_layer": 1.0}, {"rank": True}, {"more": 1}]
)
def test_values_of_another_form_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rslora, first_layer as `as_dict` gives them"):
        LoraSpec.from_dict(LoraSpec().as_dict() | change)


def test_a_first_layer_below_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="first_layer: got -1; expected a whole number from 0 up"):
        LoraSpec(first_layer=-1)
