"""Bytes from anywhere: read within limits and judged strictly, or refused."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

MIB = 1 << 20
LARGEST_JSON = 32 * MIB
"""Bytes of the largest JSON text that is parsed: an index of two hundred thousand tensors."""

_DEEPEST_JSON = 64


class UntrustedError(ValueError):
    """Bytes that are refused; the message says why, the caller says which file and what to do."""


def open_regular(path: Path) -> BinaryIO:
    """Open a plain file for reading: no link, no device, no pipe, nothing that could block or lead elsewhere.

    Raises:
        UntrustedError: for anything but a plain file.
        OSError: from the file system, `FileNotFoundError` among them.
    """
    if path.is_symlink():
        raise UntrustedError("is a link, which could lead anywhere")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UntrustedError("is not a plain file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, largest: int = LARGEST_JSON) -> bytes:
    """The whole content of a plain file.

    Args:
        path: what to read.
        largest: bytes; a longer file is not read.

    Raises:
        UntrustedError: for anything but a plain file, or one that is too large.
        OSError: from the file system.
    """
    with open_regular(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise UntrustedError(f"has more than the {largest} bytes that such a file may have")
    return content


def strict_json(content: bytes) -> Any:
    """JSON without room for two readings: UTF-8, every key once, finite numbers of sane length.

    Raises:
        UntrustedError: for anything else, or nesting too deep to read.
    """
    if len(content) > LARGEST_JSON:
        raise UntrustedError(f"has more than the {LARGEST_JSON} bytes that JSON may have here")
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_no_repeats,
            parse_constant=_no_constants,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise UntrustedError("is nested too deeply") from error
    except UntrustedError:
        raise
    except ValueError as error:  # bad UTF-8, bad JSON, a number of thousands of digits
        raise UntrustedError(f"is not JSON ({error})") from error
    _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    """Level by level, so that judging a deep value cannot fail for its depth."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST_JSON):
        inner = [item for part in level for item in (part.values() if isinstance(part, dict) else part)]
        level = [item for item in inner if isinstance(item, dict | list)]
        if not level:
            return
    raise UntrustedError("is nested too deeply")


def _no_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise UntrustedError(f"has the key {twice!r} twice")
    return value


def _no_constants(text: str) -> Any:
    raise UntrustedError(f"holds {text}, which is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UntrustedError(f"holds {text[:40]}, which is too large a number")
    return value
