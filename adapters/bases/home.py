"""Where bases that were fetched or made on this machine lie."""

from __future__ import annotations

import os
import re
from pathlib import Path

VARIABLE = "PLURES_BASES"
"""Environment variable that names another folder."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def bases_home() -> Path:
    """`PLURES_BASES`, or `plures/bases` in the user's cache folder; need not exist."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "plures" / "bases"


def fetched_base(name: str) -> Path | None:
    """The folder of a base in `bases_home`; None when there is none of that name."""
    if not _NAME.fullmatch(name):
        return None
    folder = bases_home() / name
    return folder if (folder / "config.json").is_file() else None


def may_be_named(name: str) -> bool:
    """Whether a base may be kept under this name: lower-case letters, digits, `.`, `_` and `-`, at most 64."""
    return _NAME.fullmatch(name) is not None
