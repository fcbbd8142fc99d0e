"""Moving what is damaged or strange out of the way, where people can look at it; nothing is ever deleted."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from adapters.store.folders import sync
from adapters.store.layout import StoreLayout


def quarantine(layout: StoreLayout, path: Path) -> Path:
    """Move a file, folder or link to `quarantine/`, under its own name or, where taken, a numbered one.

    Raises:
        OSError: from the file system.
    """
    layout.quarantine.mkdir(exist_ok=True)
    names = (path.name if number == 0 else f"{path.name}.{number}" for number in count())
    target = next(layout.quarantine / name for name in names if not os.path.lexists(layout.quarantine / name))
    path.rename(target)
    sync([layout.root, layout.quarantine, path.parent])
    return target
