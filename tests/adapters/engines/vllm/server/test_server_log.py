"""A log's last line, and what it says of a start that failed."""

from __future__ import annotations

from pathlib import Path

from adapters.engines.vllm.server.server_log import last_line, reasons
from tests.adapters.engines.vllm.fake_python import LOG_OF_A_DEATH


def test_the_cause_comes_first_and_its_echo_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG_OF_A_DEATH)
    assert reasons(tmp_path / "log") == ["ValueError: No available memory for the cache blocks."]


def test_a_refused_flag_is_a_reason(tmp_path: Path) -> None:
    line = "api_server.py: error: argument --max-lora-rank: invalid choice: '4'"
    (tmp_path / "log").write_text(f"usage: api_server.py [-h]\n{line}\n")
    assert reasons(tmp_path / "log") == [line]


def test_without_a_named_cause_the_last_lines_are_quoted(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\n\nthree\nKilled\n")
    assert reasons(tmp_path / "log") == ["two", "three", "Killed"]


def test_the_last_line_comes_without_prefix_and_from_the_end_of_a_long_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        "x" * 1_000_000 + "\n(Worker pid=3) INFO 11-22 07:53:01 [w.py:1] Loading weights\n\n"
    )
    assert last_line(tmp_path / "log") == "Loading weights"


def test_no_log_says_nothing(tmp_path: Path) -> None:
    assert last_line(tmp_path / "log") == ""
    assert reasons(tmp_path / "log") == []
