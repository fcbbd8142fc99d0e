"""What several tests of the measures need: the folder of real data, and a scorer that reads numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real data; skips where there is none."""
    folder = Path(os.environ.get("PLURES_DATA", _DEFAULT))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set PLURES_DATA to the folder that holds graphs/ and tweets/")
    return folder
