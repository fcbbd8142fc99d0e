"""Where bases that were fetched or made on this machine lie."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

VARIABLE = "PLURES_BASES"
"""Environment variable that names another folder."""

SOURCE_FILE = "plures_source.json"
"""Beside a base's own files: where its contents came from."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def bases_home() -> Path:
    """`PLURES_BASES`, or `plures/bases` in the user's cache folder; need not exist."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "plures" / "bases"


def fetched_base(ref: str) -> Path | None:
    """The folder of a base in `bases_home`, by its name or the hub id that it was fetched by; None when not there."""
    name = hub_name(ref) or ref
    if not _NAME.fullmatch(name):
        return None
    folder = bases_home() / name
    if not (folder / "config.json").is_file() or (name != ref and fetched_from(folder) != ref):
        return None
    return folder


def fetched_bases() -> list[str]:
    """Names of all bases in `bases_home`, sorted."""
    home = bases_home()
    return sorted(entry.name for entry in home.iterdir() if fetched_base(entry.name)) if home.is_dir() else []


def hub_name(ref: str) -> str | None:
    """What the base of a hub id is called here: `owner/Model-1B` is `model-1b`; None for what is no hub id."""
    owner, slash, name = ref.partition("/")
    return name.lower() if owner and slash and _NAME.fullmatch(name.lower()) else None


def fetched_from(folder: Path) -> str | None:
    """The hub id that a base in `bases_home` was fetched by; None for one of another source."""
    file = folder / SOURCE_FILE
    record = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    hub_id = record.get("hub_id")
    return str(hub_id) if hub_id else None
