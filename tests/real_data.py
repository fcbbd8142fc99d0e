"""Where real data for tests lies: $PLURES_DATA, or `shared/data` beside the repository; never part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_file(name: str) -> Path:
    """The file, or a skip that says why."""
    default = Path(__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("PLURES_DATA", default)) / name
    if not path.is_file():
        pytest.skip(f"real data not here: {path} (set PLURES_DATA to its folder)")
    return path
