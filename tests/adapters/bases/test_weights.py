"""A base is known without its weights; they come when they are needed and go when they are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from adapters.bases.loader import open_base
from adapters.errors import BaseMismatchError, BaseModelError
from adapters.lora.spec import LoraSpec
from adapters.lora.zero import zero_adapter
from tests.adapters.tiny import ARCHITECTURES, CONTEXT, write_base


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_what_is_known_without_weights_is_what_the_model_says(kind: str, tmp_path: Path) -> None:
    """Shapes of adapters, vocabulary and context, on every architecture."""
    base, spec = open_base(write_base(tmp_path / kind, kind)), LoraSpec()
    without = zero_adapter(base.skeleton, spec)
    assert base.longest == CONTEXT
    assert not base.weights.loaded
    loaded = zero_adapter(base.model, spec)
    assert {path: (pair.A.shape, pair.B.shape) for path, pair in without.pairs.items()} == {
        path: (pair.A.shape, pair.B.shape) for path, pair in loaded.pairs.items()
    }
    assert base.vocabulary == base.model.get_output_embeddings().out_features


def test_weights_are_read_once_and_again_after_they_were_let_go(tiny_random_folder: Path) -> None:
    base = open_base(tiny_random_folder)
    assert base.model is base.model
    before = base.model
    base.weights.release()
    assert not base.weights.loaded
    assert base.model is not before
    assert base.model.state_dict().keys() == before.state_dict().keys()


def test_how_weights_lie_in_memory_is_not_seen_in_shapes_numbers_or_files(
    tiny_random_folder: Path, tmp_path: Path
) -> None:
    """On a CPU linears have their inputs first in memory, but for the head."""
    plain = AutoModelForCausalLM.from_pretrained(tiny_random_folder).state_dict()
    model = open_base(tiny_random_folder).model
    assert model.model.layers[0].self_attn.q_proj.weight.t().is_contiguous()
    assert model.get_output_embeddings().weight.is_contiguous()
    model.save_pretrained(tmp_path)
    for found in (model, AutoModelForCausalLM.from_pretrained(tmp_path)):
        for name, value in found.state_dict().items():
            assert torch.equal(value, plain[name])


def test_targets_are_tried_on_the_skeleton(tiny_random_folder: Path) -> None:
    base = open_base(tiny_random_folder)
    with pytest.raises(BaseMismatchError, match="gate_up"):
        zero_adapter(base.skeleton, LoraSpec(targets=("gate_up",)))
    assert not base.weights.loaded


def test_a_config_of_another_kind_of_model_is_refused_without_weights(
    tiny_random_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_random_folder, tmp_path / "base"))
    (folder / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(BaseModelError, match="not loadable as a causal language model"):
        open_base(folder)
