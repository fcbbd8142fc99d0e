"""Bytes as an enemy, a bad disk or a broken download would leave them."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st


@st.composite
def mutations(draw: st.DrawFn, valid: bytes) -> bytes:
    """Valid bytes after a few cuts, flips, insertions, repetitions and overwritten numbers."""
    content = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(("flip", "cut", "insert", "repeat", "number", "swap"))):
            case "flip" if at < len(content):
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del content[at : at + draw(st.integers(1, 600))]
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=40))
            case "repeat":
                content[at:at] = content[at : at + draw(st.integers(1, 600))]
            case "number":
                number = draw(st.sampled_from((0, 1, (1 << 31) - 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1)))
                content[at : at + 8] = struct.pack("<Q", number)
            case "swap":
                old, new = draw(st.sampled_from(_SWAPS))
                content = bytearray(bytes(content).replace(old, new, 1))
            case _:
                pass
    return bytes(content)


_LONGEST_ID = 40
_SWAPS = (
    (b'"F32"', b'"F64"'),
    (b'"F32"', b'"I32"'),
    (b"[", b"[-"),
    (b"[", b"[[[[[[[["),
    (b"{", b'{"a":{"a":{"a":'),
    (b":", b":1e999,"),
    (b":", b":NaN,"),
    (b"1", b"1" * 5000),
    (b'"', b'"\xff\xfe'),
    (b"0", b"null"),
)


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def short(value: object) -> str:
    """A test's id that fits a line."""
    return str(value)[:_LONGEST_ID]
