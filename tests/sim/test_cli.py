"""The command line: mistakes are one message, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.cli.app import main


def _run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["plures", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    shown = capsys.readouterr()
    return int(stopped.value.code or 0), shown.out, shown.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "nowhere.yaml"), "nowhere.yaml: no such file"),
        (("metrics", "nowhere"), "nowhere: no run here"),
        (("report", "nowhere"), "nowhere: no run here"),
        (("adapters", "train", "--corpus", "nowhere.csv"), "nowhere.csv"),
        (("adapters", "train", "--users", "1"), "population: size: got [1]"),
        (("base", "show", "nowhere"), "nowhere: no such base"),
        (("base", "train", "smollm2"), "only tiny-moe"),
    ],
)
def test_mistakes_are_one_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = _run(monkeypatch, capsys, *words)
    assert code == 2
    assert err.startswith("plures: ")
    assert expected in err
    assert "Traceback" not in err


def test_disk_full_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x.yaml")

    monkeypatch.setattr("sim.scenario_file._read", full)
    code, _, err = _run(monkeypatch, capsys, "validate", str(tmp_path / "x.yaml"))
    assert (code, err) == (
        2,
        "plures: x.yaml: No space left on device. What was finished before is kept; mend and resume.\n",
    )


def test_corpus_is_made_and_not_overwritten(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    town = tmp_path / "town"
    words = ("corpus", "make", str(town), "--users", "4", "--posts", "3")
    assert _run(monkeypatch, capsys, *words)[0] == 0
    assert {p.name for p in town.iterdir()} >= {"timelines.jsonl", "interactions.jsonl", "truth.csv"}
    code, _, err = _run(monkeypatch, capsys, *words)
    assert code == 2
    assert "not empty" in err
    code, out, _ = _run(monkeypatch, capsys, "corpus", "show", str(town / "timelines.jsonl"), "--json")
    assert code == 0
    assert json.loads(out)["users_per_side"] == {"skeptical": 2, "supportive": 2}


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(monkeypatch, capsys, "--version")
    assert code == 0
    assert out.startswith("plures ")
