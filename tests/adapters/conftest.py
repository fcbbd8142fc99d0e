"""Bases for the tests of everything that needs one."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.bases.loader import Base, load_base
from tests.adapters.tiny import write_base


@pytest.fixture(scope="session")
def tiny_random_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer Qwen3-MoE with a byte tokenizer, as a Hugging Face folder."""
    return write_base(tmp_path_factory.mktemp("tiny-random"))


@pytest.fixture
def tiny_random_base(tiny_random_folder: Path) -> Base:
    """That folder, loaded afresh, so that a test may attach adapters to it."""
    return load_base(tiny_random_folder)
