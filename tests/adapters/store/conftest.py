"""Stores for the tests, in memory where the system offers that: the tests publish, and so sync, thousands of times."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.store import AdapterStore

_IN_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def fast_folder() -> Iterator[Path]:
    """A folder for one test module, gone at its end."""
    usable = _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK)
    folder = Path(tempfile.mkdtemp(prefix="plures-test-", dir=_IN_MEMORY if usable else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def store(fast_folder: Path) -> AdapterStore:
    """A store that does not exist yet."""
    return AdapterStore(Path(tempfile.mkdtemp(dir=fast_folder)) / "store")
