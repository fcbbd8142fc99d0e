"""Adapters of some layers only, between PEFT's config and ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from adapters.errors import CorruptAdapterError, UnsupportedAdapterError
from adapters.lora.peft_io import CONFIG_NAME, WEIGHTS_NAME, read_peft, write_peft
from adapters.lora.peft_layers import first_layer
from adapters.lora.spec import ATTENTION_TARGETS
from tests.adapters.tiny import tiny_model


def trained(folder: Path, **layers: Any) -> Path:
    """A folder as PEFT writes it."""
    config = LoraConfig(
        r=4, lora_alpha=16, target_modules=list(ATTENTION_TARGETS), task_type="CAUSAL_LM", **layers
    )
    get_peft_model(tiny_model("llama"), config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "layers",
    [
        {"layers_to_transform": [1]},
        {"layers_to_transform": 1},
        {"layers_to_transform": [1], "layers_pattern": "layers"},
        {"layers_to_transform": [1], "layers_pattern": ["h", "layers"]},
    ],
)
def test_what_peft_trained_on_upper_layers_comes_in_and_goes_out_the_same(
    tmp_path: Path, layers: dict[str, Any]
) -> None:
    theirs = trained(tmp_path / "theirs", **layers)
    adapter = read_peft(theirs)
    assert adapter.spec.first_layer == 1
    assert {path.split(".")[2] for path in adapter.pairs} == {"1"}
    write_peft(adapter, tmp_path / "ours", base_ref="tiny")
    assert load_file(theirs / WEIGHTS_NAME).keys() == load_file(tmp_path / "ours" / WEIGHTS_NAME).keys()
    config = json.loads((tmp_path / "ours" / CONFIG_NAME).read_text())
    assert (config["layers_to_transform"], config["layers_pattern"]) == ([1], ["layers"])
    back = PeftModel.from_pretrained(tiny_model("llama"), tmp_path / "ours")
    assert {name.split(".")[4] for name, _ in back.named_parameters() if "lora_" in name} == {"1"}
    assert read_peft(tmp_path / "ours").spec == adapter.spec


@pytest.mark.parametrize("layers", [{}, {"layers_to_transform": [0, 1]}, {"layers_to_transform": []}])
def test_an_adapter_of_every_layer_is_written_without_a_word_of_layers(
    tmp_path: Path, layers: dict[str, Any]
) -> None:
    adapter = read_peft(trained(tmp_path / "theirs", **layers))
    assert adapter.spec.first_layer == 0
    write_peft(adapter, tmp_path / "ours", base_ref="tiny")
    assert "layers_to_transform" not in json.loads((tmp_path / "ours" / CONFIG_NAME).read_text())


def test_layers_left_out_in_between_are_refused_with_those_that_would_do() -> None:
    with pytest.raises(UnsupportedAdapterError, match=r"is \[5, 2\]; .* Train the adapter on layers 2 to 5"):
        first_layer(Path("config"), [5, 2], [])


@pytest.mark.parametrize("layers", ["1", True, [1.0], [-1, 0], {"1": 2}, [None]])
def test_what_is_no_list_of_layers_is_refused(layers: object) -> None:
    with pytest.raises(CorruptAdapterError, match="expected whole numbers from 0 up"):
        first_layer(Path("config"), layers, [])


@pytest.mark.parametrize("path", ["model.layers.0.mlp.experts.1.up_proj", "lm_head"])
def test_weights_of_other_layers_than_the_config_names_are_refused(path: str) -> None:
    with pytest.raises(CorruptAdapterError, match=f"from 1 to 2, but there are weights of {path}; the two"):
        first_layer(Path("config"), [1, 2], ["model.layers.1.q_proj", path])
