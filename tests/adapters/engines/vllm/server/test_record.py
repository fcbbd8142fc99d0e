"""Records of servers on disk."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from adapters.engines.vllm.server.record import ServerRecord, read_record, write_record
from adapters.errors import ServerError
from adapters.processes import ProcessMark

RECORD = ServerRecord(
    url="http://127.0.0.1:8123",
    api_key="secret",
    process=ProcessMark(2, 99.5, "here"),
    started_at="2026-11-22T07:53:01+00:00",
    base="tiny-moe",
    base_fingerprint="f" * 64,
    served_name="tiny-moe@ffffffffffff",
    context=2048,
    max_loras=64,
    max_cpu_loras=256,
    max_lora_rank=8,
    targets=("q_proj",),
    device="cpu",
    dtype="float32",
    version="0.27.1",
    log=Path("/logs/server.log"),
)


def test_a_record_comes_back_equal_and_is_its_owners_alone(tmp_path: Path) -> None:
    write_record(tmp_path / "server.json", RECORD)
    assert read_record(tmp_path / "server.json") == RECORD
    assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["server.json"]


def test_a_record_is_its_owners_alone_when_it_replaces_one_that_was_not(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text("{}")
    write_record(tmp_path / "server.json", RECORD)
    assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o600


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(RECORD)


def test_no_file_is_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path / "server.json") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "{}",
        json.dumps(RECORD.as_dict() | {"more": 1}),
        json.dumps(RECORD.as_dict() | {"process": 3}),
        json.dumps(RECORD.as_dict() | {"process": {"pid": "x", "started": 1}}),
    ],
)
def test_a_damaged_record_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)
    with pytest.raises(ServerError, match=r"server.json: no record of a server .* then delete the file"):
        read_record(tmp_path / "server.json")
