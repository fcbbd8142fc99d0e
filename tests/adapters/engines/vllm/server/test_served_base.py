"""What is read of a base without its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from adapters.bases.loader import PROFILES, load_base
from adapters.engines.vllm.server.served_base import read_served_base, served_name
from adapters.errors import BaseModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROFILES["tiny-moe"], tmp_path / "mine"))


def test_it_agrees_with_the_loaded_base() -> None:
    seen, loaded = read_served_base("tiny-moe"), load_base("tiny-moe")
    assert seen.fingerprint == loaded.fingerprint
    assert seen.path == loaded.path
    assert seen.context == loaded.model.config.max_position_embeddings
    assert seen.parameters == sum(parameter.numel() for parameter in loaded.model.parameters())
    attention = [
        sum(linear.weight.shape)
        for name, linear in loaded.model.named_modules()
        if name.endswith(("q_proj", "k_proj", "v_proj", "o_proj"))
    ]
    assert seen.slot_bytes(("q_proj", "k_proj", "v_proj", "o_proj"), 8, 4) == 32 * sum(attention)


def test_another_base_of_the_same_name_is_served_under_another(folder: Path) -> None:
    before = read_served_base(folder).served_name
    (folder / "chat_template.jinja").write_text("{{ 'other' }}")
    after = read_served_base(folder).served_name
    assert before != after
    assert before.startswith("mine@")
    assert after.startswith("mine@")


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("tiny-moe", "tiny-moe@0123456789ab"),
        ("Qwen/Qwen3-30B-A3B", "Qwen-Qwen3-30B-A3B@0123456789ab"),
        ("../../etc; rm -rf /", "etc-rm-rf@0123456789ab"),
        ("…", "base@0123456789ab"),
    ],
)
def test_a_served_name_has_plain_letters_only(name: str, served: str) -> None:
    """Trap: vLLM joins names to paths unchecked."""
    assert served_name(name, "0123456789abcdef") == served


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", "{", "not readable as JSON"),
        ("config.json", "[]", "expected an object"),
        ("config.json", json.dumps({}), "max_position_embeddings: got None"),
        ("model.safetensors", None, r"no \*.safetensors"),
        ("model.safetensors", "12345678", "copy the model again"),
    ],
)
def test_a_damaged_base_is_refused_by_file(
    folder: Path, file: str, content: str | None, message: str
) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(BaseModelError, match=message):
        read_served_base(folder)
