"""PEFT folders in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor

from adapters.errors import AdapterError, CorruptAdapterError, UnknownAdapterError, UnsupportedAdapterError
from adapters.lora.peft_io import CONFIG_NAME, WEIGHTS_NAME, read_peft, write_peft
from adapters.lora.spec import ATTENTION_TARGETS, LoraSpec
from tests.adapters.tiny import tiny_model

PREFIX = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as PEFT writes it, with B ≠ 0."""
    config = LoraConfig(r=4, lora_alpha=16, target_modules=list(ATTENTION_TARGETS), task_type="CAUSAL_LM")
    model = get_peft_model(tiny_model("llama"), config)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(generator=generator)
    model.save_pretrained(tmp_path / "peft")
    return tmp_path / "peft"


def edit(folder: Path, **changes: Any) -> None:
    path = folder / CONFIG_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_tensors(folder: Path, **changes: Tensor | None) -> None:
    """Set (or with None drop) tensors of layer 0's q_proj: lora_A=…, lora_B=…."""
    tensors = load_file(folder / WEIGHTS_NAME)
    for factor, tensor in changes.items():
        tensors.pop(f"{PREFIX}.{factor}.weight")
        if tensor is not None:
            tensors[f"{PREFIX}.{factor}.weight"] = tensor
    save_file(tensors, folder / WEIGHTS_NAME)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_peft_folder_read_and_written_again_is_the_same(
    folder: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    save_file({k: v.to(dtype) for k, v in load_file(folder / WEIGHTS_NAME).items()}, folder / WEIGHTS_NAME)
    adapter = read_peft(folder)
    write_peft(adapter, tmp_path / "ours", base_ref="tiny")
    theirs, ours = load_file(folder / WEIGHTS_NAME), load_file(tmp_path / "ours" / WEIGHTS_NAME)
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) and ours[key].dtype == dtype for key in theirs)
    before, after = (json.loads((f / CONFIG_NAME).read_text()) for f in (folder, tmp_path / "ours"))
    before["target_modules"], before["base_model_name_or_path"] = sorted(before["target_modules"]), "tiny"
    assert {key: before[key] for key in after} == after
    assert LoraConfig.from_pretrained(tmp_path / "ours").r == 4
    assert read_peft(tmp_path / "ours").spec == adapter.spec


def test_the_spec_comes_from_config_and_weights(folder: Path) -> None:
    edit(folder, use_rslora=True, lora_alpha=8.5, target_modules=r".*self_attn\.[qkvo]_proj")
    assert read_peft(folder).spec == LoraSpec(rank=4, alpha=8.5, rslora=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_dora", True),
        ("lora_bias", True),
        ("bias", "lora_only"),
        ("modules_to_save", ["lm_head"]),
        ("rank_pattern", {"q_proj": 8}),
        ("alpha_pattern", {"q_proj": 8}),
        ("init_lora_weights", "pissa"),
        ("init_lora_weights", "olora"),
        ("layers_to_transform", [0, 2]),
        ("fan_in_fan_out", True),
        ("a_field_of_a_later_peft", {"on": True}),
        ("peft_type", "IA3"),
    ],
)
def test_what_is_not_plain_lora_is_refused_by_name(folder: Path, key: str, value: Any) -> None:
    edit(folder, **{key: value})
    with pytest.raises(UnsupportedAdapterError, match=f"{CONFIG_NAME}: {key} is"):
        read_peft(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora_A": torch.zeros(5, 32)}, r"expected \(4, d_in\), \(d_out, 4\)"),
        ({"lora_B": torch.zeros(32, 3)}, r"expected \(4, d_in\), \(d_out, 4\)"),
        ({"lora_B": torch.zeros(4)}, "expected"),
        ({"lora_A": torch.full((4, 32), torch.nan)}, "lora_A holds NaN or infinity"),
        ({"lora_B": torch.full((32, 4), torch.inf)}, "lora_B holds NaN or infinity"),
        ({"lora_B": None}, "has only lora_A"),
        ({"lora_A": torch.zeros(4, 32, dtype=torch.int8)}, "expected float32, float16 or bfloat16"),
    ],
)
def test_tensors_that_are_not_the_factors_are_refused(
    folder: Path, changes: dict[str, Tensor | None], message: str
) -> None:
    edit_tensors(folder, **changes)
    with pytest.raises(AdapterError, match=message):
        read_peft(folder)


def test_a_tensor_of_another_kind_is_refused(folder: Path) -> None:
    save_file({"base_model.model.lm_head.weight": torch.zeros(2, 2)}, folder / WEIGHTS_NAME)
    with pytest.raises(UnsupportedAdapterError, match=r"lm_head\.weight' is no LoRA factor"):
        read_peft(folder)


def test_weights_of_other_targets_than_the_config_names_are_refused(folder: Path) -> None:
    edit(folder, target_modules=["q_proj"])
    with pytest.raises(CorruptAdapterError, match="the two files do not belong together"):
        read_peft(folder)


@pytest.mark.parametrize(("key", "value"), [("r", 0), ("r", "four"), ("lora_alpha", None)])
def test_a_config_with_impossible_values_is_refused(folder: Path, key: str, value: Any) -> None:
    edit(folder, **{key: value})
    with pytest.raises(CorruptAdapterError, match=CONFIG_NAME):
        read_peft(folder)


@pytest.mark.parametrize("keep", [0, 7, 500, -3])
def test_truncated_weights_are_refused(folder: Path, keep: int) -> None:
    weights = folder / WEIGHTS_NAME
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(CorruptAdapterError, match="damaged or truncated"):
        read_peft(folder)


def test_pickled_weights_are_refused_unread(folder: Path) -> None:
    (folder / WEIGHTS_NAME).rename(folder / "adapter_model.bin")
    with pytest.raises(UnsupportedAdapterError, match="pickled weights can run code"):
        read_peft(folder)


def test_missing_and_unreadable_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownAdapterError, match=CONFIG_NAME):
        read_peft(tmp_path / "nothing")
    (folder / WEIGHTS_NAME).unlink()
    with pytest.raises(UnknownAdapterError, match=WEIGHTS_NAME):
        read_peft(folder)
    for content in (b"{", b"\xff\xfe", b"[1]"):
        (folder / CONFIG_NAME).write_bytes(content)
        with pytest.raises(CorruptAdapterError, match=CONFIG_NAME):
            read_peft(folder)
