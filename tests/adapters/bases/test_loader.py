"""Bases load from plain folders, and whatever is wrong with one is said in a sentence with its cure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from adapters.bases.loader import Base, base_path, load_base
from adapters.engines.protocol import Message
from adapters.errors import BaseModelError
from tests.adapters.tiny import ARCHITECTURES, byte_tokenizer, write_base


@pytest.fixture
def folder(tiny_random_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_random_folder, tmp_path / "base"))


def answers(base: Base) -> bool:
    ids = torch.tensor([base.encoder.prompt_ids((Message("user", "hi"),))])
    return bool(torch.isfinite(base.model(ids).logits).all())


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_loads_frozen_in_float32(kind: str, tmp_path: Path) -> None:
    base = load_base(write_base(tmp_path / kind, kind))
    assert base.name == kind
    assert not base.is_toy
    assert not base.model.training
    assert base.model.config._attn_implementation == "sdpa"
    assert {p.dtype for p in base.model.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in base.model.parameters())
    assert answers(base)


def test_qwen3_loads_from_a_folder(tmp_path: Path) -> None:
    config = Qwen3Config(
        vocab_size=320, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, head_dim=16,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    assert answers(load_base(tmp_path))


def test_weights_stored_in_half_precision_come_up_as_asked(folder: Path) -> None:
    assert load_base(folder, dtype="bfloat16").model.dtype == torch.bfloat16
    with pytest.raises(BaseModelError, match="dtype: got 'int4'; expected one of float32"):
        load_base(folder, dtype="int4")


def test_the_fingerprint_knows_weights_config_and_tokenizer_and_nothing_else(folder: Path) -> None:
    before = load_base(folder).fingerprint
    (folder / "README.md").write_text("a note")
    assert load_base(folder).fingerprint == before
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rope_theta": 5000.0}))
    assert load_base(folder).fingerprint != before


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", r"config\.json is missing"),
        ("model.safetensors", r"weights are missing; copy the model again"),
        ("tokenizer.json", r"no tokenizer; expected one of tokenizer\.json"),
    ],
)
def test_a_missing_file_is_named(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(BaseModelError, match=message):
        load_base(folder)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_noticed(folder: Path, share: float) -> None:
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BaseModelError, match=r"model\.safetensors: truncated or no safetensors file"):
        load_base(folder)


def test_pickled_weights_are_refused_with_the_way_to_convert_them(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match=r"pytorch_model\.bin can run code .* safe_serialization=True"):
        load_base(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BaseModelError, match=r"model-00001-of-00002\.safetensors: weights are missing"):
        load_base(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_config_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(BaseModelError, match=r"config\.json"):
        load_base(folder)


def test_a_model_of_another_kind_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(BaseModelError, match="not loadable as a causal language model"):
        load_base(folder)


def test_a_damaged_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(BaseModelError, match="the tokenizer does not load"):
        load_base(folder)


def test_weights_that_do_not_fill_the_model_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["num_hidden_layers"] += 1
    config.pop("layer_types", None)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BaseModelError, match="tensors of the model are not in its safetensors files"):
        load_base(folder)


def test_a_tokenizer_larger_than_the_model_is_refused(folder: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"<extra{n}>" for n in range(100)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(BaseModelError, match="tokenizer and weights belong to different models"):
        load_base(folder)


@pytest.mark.parametrize(
    ("ref", "cure"),
    [
        (
            "./nowhere",
            r"expected the folder .*, or one of tiny-moe, mine\. `plures base fetch` gets smollm2 or",
        ),
        ("smolm2", "a hub id .*, or one of tiny-moe, mine"),
        ("smollm2", "plures base fetch smollm2"),
        ("smollm2-8x2", "plures base upcycle smollm2 --experts 8 --top-k 2"),
        ("mine-4x1", "plures base upcycle mine --experts 4 --top-k 1"),
        ("yours-4x1", "expected the folder"),
        (
            "people/model",
            r"`plures base fetch people/model` first.* `hf download people/model --local-dir DIR`",
        ),
    ],
)
def test_a_base_that_is_not_there_says_how_to_get_it(
    ref: str, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLURES_BASES", str(tmp_path))
    write_base(tmp_path / "mine", "llama")
    with pytest.raises(BaseModelError, match=cure):
        base_path(ref)
