"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.atomic import write_atomic, write_json


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    write_json(target, {"a": 1})

    def half(path: Path) -> None:
        path.write_text('{"a": ')
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_atomic(target, half)
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert target.read_text() == '{\n  "a": 1\n}\n'


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()
