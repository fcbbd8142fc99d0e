"""Opening a run to look at it: everything that pages rest on is in its manifest, and nothing leads elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.store.layout import StoreLayout
from sim.errors import RunDirError
from sim.run_dir import RunDir, State


class _Base(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str
    fingerprint: str
    toy: bool


class _Adapters(BaseModel):
    own: dict[str, str]
    pooled: str | None
    zero: str | None


class _Manifest(BaseModel):
    """What the pages read of a manifest; it may hold more."""

    state: State
    base: _Base
    sides: tuple[str, str]
    corpus: dict[str, Any]
    versions: dict[str, str]
    hardware: dict[str, Any]
    adapters: _Adapters | None = None


def open_to_look(path: Path, guard: Callable[[Path], Path]) -> RunDir:
    """Open a run whose manifest is whole.

    Args:
        path: the run directory.
        guard: raises for a path that leads outside of what may be read; asked about every link in the run.

    Raises:
        RunDirError: no run, a newer or damaged one, or one with a link that leads outside.
    """
    run = RunDir.open(path)
    try:
        _Manifest.model_validate(run.manifest)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()[:3]
        ]
        raise RunDirError(
            f"{run.manifest_file}: damaged ({'; '.join(problems)}). Start the run anew, or take it from a backup."
        ) from error
    run.scenario  # noqa: B018 # read now, so that what is wrong with it is told here
    for link in _links(path):
        guard(link)
    return run


def guard_store(store: Path, guard: Callable[[Path], Path]) -> Path:
    """The folder of an adapter store from which no link leads outside of what may be read.

    Folders of single revisions are not looked through: there may be a million, and the store itself refuses links
    in them.

    Args:
        store: its folder.
        guard: raises for a path that leads outside.

    Raises:
        RunDirError: a link that leads outside.
    """
    layout = StoreLayout(store)
    for folder in (store, layout.packs, layout.trainings, layout.evaluations, layout.revisions):
        if folder.is_dir():
            for path in folder.iterdir():
                if path.is_symlink():
                    guard(path)
    return store


def _links(folder: Path) -> list[Path]:
    """Symbolic links below a folder; none is followed."""
    return [
        Path(parent, name)
        for parent, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if Path(parent, name).is_symlink()
    ]
