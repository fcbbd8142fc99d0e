"""Interviews without a model: a run of which a test may write, and an engine that follows a script."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.engines.protocol import GenerateRequest, RequestError
from adapters.engines.scripted import ScriptedEngine
from sim.interview import Studio
from sim.run_dir import RunDir

BASE = {"name": "tiny-moe", "fingerprint": "f" * 64, "toy": True}
OpenStudio = Callable[[Callable[[GenerateRequest], str | RequestError]], Studio]


@pytest.fixture
def own_run(small_run: RunDir, tmp_path: Path) -> RunDir:
    """A copy of `small_run`."""
    shutil.copytree(small_run.path, tmp_path / "small")
    return RunDir.open(tmp_path / "small")


@pytest.fixture
def studio(own_run: RunDir) -> OpenStudio:
    """Opens a studio on `own_run` whose engine replies as it is told."""
    return lambda reply: Studio(own_run, ScriptedEngine(reply), BASE)


def echo(request: GenerateRequest) -> str:
    """Adapter, seed and number of messages."""
    return f"{(request.adapter or 'base')[:6]} {request.sampling.seed} {len(request.prompt)}"
