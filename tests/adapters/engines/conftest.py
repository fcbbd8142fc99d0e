"""A tiny base with a few adapters, opened once for the engine tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.bases.loader import Base, load_base
from adapters.engines.local import LocalEngine
from adapters.lora.adapter import Adapter
from tests.adapters.engines.random_adapters import Shelf, random_adapter


@pytest.fixture(scope="package")
def base(tiny_random_folder: Path) -> Base:
    """One random base for all engine tests; engines attach to it one after another."""
    return load_base(tiny_random_folder)


@pytest.fixture(scope="package")
def adapters(base: Base) -> dict[str, Adapter]:
    """Six random adapters of the default shape."""
    return {f"rev-{i}": random_adapter(base.model, i) for i in range(6)}


@pytest.fixture
def shelf(adapters: dict[str, Adapter]) -> Shelf:
    """Those adapters, with a count of what was opened."""
    return Shelf(adapters)


@pytest.fixture
def engine(base: Base, shelf: Shelf) -> Iterator[LocalEngine]:
    """A local engine with room for four adapters."""
    engine = LocalEngine(base, shelf, max_slots=4)
    yield engine
    engine.close()
