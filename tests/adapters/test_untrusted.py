"""Files and JSON from anywhere: one reading, within limits, or a refusal."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.untrusted import UntrustedError, open_regular, read_regular, strict_json
from tests.adapters.hostile import mutations, short

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_json_writes_is_read_as_it_was(value: object) -> None:
    assert strict_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'"\xed\xa0\x80"', "not JSON"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' twice"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"1e999", "too large a number"),
        (b"1" * 5000, "not JSON"),
        (b"[" * 100 + b"]" * 100, "nested too deeply"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
    ],
    ids=short,
)
def test_json_with_two_readings_or_none_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(UntrustedError, match=message):
        strict_json(content)


@given(st.binary(max_size=200) | mutations(json.dumps({"a": [1, 2.5, {"b": "c"}], "d": None}).encode()))
def test_no_bytes_do_worse_than_being_refused(content: bytes) -> None:
    with contextlib.suppress(UntrustedError):
        strict_json(content)


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    """A link may lead anywhere, a pipe would block for ever, a device never ends."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert read_regular(tmp_path / "file") == b"content"
    for name, message in (("link", "is a link"), ("pipe", "not a plain file"), (".", "not a plain file")):
        with pytest.raises(UntrustedError, match=message):
            open_regular(tmp_path / name)
    with pytest.raises(UntrustedError, match="not a plain file"):
        open_regular(Path(os.devnull))
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(UntrustedError, match="more than the 4 bytes"):
        read_regular(tmp_path / "file", 4)
