"""One way of writing a value as JSON, so that equal values have equal bytes and equal hashes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

SHA256_HEX_LENGTH = 64


def plain(value: object, where: str) -> Any:
    """A copy of `value` made of dict, list, str, int, float, bool and None only; tuples become lists.

    Args:
        value: JSON-like, nested as deep as you like.
        where: how to name it in an error, such as `recipe`.

    Raises:
        ValueError: for a NaN or infinite number, a key that is not a string, or any other type.
    """
    match value:
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            if not math.isfinite(value):
                raise ValueError(
                    f"{where}: got {value}; expected a finite number. Leave out what is undefined."
                )
            return float(value)
        case list() | tuple():
            return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
        case Mapping():
            if strange := [key for key in value if not isinstance(key, str)]:
                raise ValueError(f"{where}: got the key {strange[0]!r}; expected strings as keys")
            return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
        case _:
            raise ValueError(
                f"{where}: got a {type(value).__name__}; "
                f"expected text, numbers, booleans, None, lists or dicts"
            )


def canonical_json(value: object) -> bytes:
    """Sorted keys, no white space, ASCII only, shortest decimal form of every number, no NaN.

    Raises:
        ValueError: for a value that `plain` refuses.
    """
    return json.dumps(plain(value, "value"), sort_keys=True, separators=(",", ":"), allow_nan=False).encode(
        "ascii"
    )


def canonical_sha256(value: object) -> str:
    """SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def is_sha256(text: str) -> bool:
    """Whether `text` is a whole SHA-256 in lower-case hex."""
    return len(text) == SHA256_HEX_LENGTH and set(text) <= set("0123456789abcdef")
