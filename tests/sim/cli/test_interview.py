from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from sim.cli.app import main
from sim.run_dir import RunDir


def cli(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["plures", *map(str, words)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def folder(small_run: RunDir, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run.path, tmp_path / "small"))


def test_a_question_is_answered_side_by_side_and_kept(
    folder: Path, small_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["interview", folder, "--agent", "2", "--store", small_store, "--question", "Who are you?"]
    assert cli(monkeypatch, *words, "--session", "talk", "--as-post", "--tokens", "30") == 0
    shown = capsys.readouterr().out
    for part in ("lora", "shared_base", "Who are you?", "toy", "talk.jsonl"):
        assert part in shown
    assert cli(monkeypatch, *words, "--json", "--tokens", "30") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["agent_id"] == 2
    assert [answer["voice"] for answer in record["exchanges"][0]["answers"]] == ["lora", "shared_base"]
    assert len(list((folder / "interviews").iterdir())) == 2


def test_questions_are_typed_until_ctrl_c(
    folder: Path, small_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty line and the end of input end it in the same place."""
    typed = iter(["Who?", "Why?"])

    def read(_: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("builtins.input", read)
    words = [
        "interview",
        folder,
        "--agent",
        "2",
        "--store",
        small_store,
        "--tokens",
        "8",
        "--session",
        "talk",
    ]
    assert cli(monkeypatch, *words) == 0
    assert len((folder / "interviews" / "talk.jsonl").read_text("utf-8").splitlines()) == 2


def test_mistakes_are_one_message(
    folder: Path, small_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(monkeypatch, "interview", folder) == 2
    assert "name an agent" in capsys.readouterr().err
    assert cli(monkeypatch, "interview", folder, "--agent", "2", "--store", folder / "none") == 2
    assert "plures: " in (said := capsys.readouterr().err)
    assert "--store FOLDER" in said
