"""`plures dashboard`: what is started, for whom it listens, and what is refused before anything starts."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from sim.cli.app import main


class _Started(NamedTuple):
    words: list[str]
    folders: list[str]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[_Started]:
    """The servers that would have been started."""
    found: list[_Started] = []

    def execve(_: str, words: list[str], environment: dict[str, str]) -> None:
        found.append(_Started(words, json.loads(environment["PLURES_FOLDERS"])))

    monkeypatch.setattr(os, "execve", execve)
    return found


def _call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["plures", "dashboard", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_server_listens_here_alone_and_reads_what_it_was_given(
    started: list[_Started],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = _free_port()
    assert _call(monkeypatch, str(tmp_path), "--port", port, "--no-browser") == 0
    (one,) = started
    assert one.folders == [str(tmp_path)]
    assert {"--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"} <= set(one.words)
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().err


def test_open_address_is_warned_of(
    started: list[_Started],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _call(monkeypatch, str(tmp_path), "--port", _free_port(), "--host", "0.0.0.0")
    assert "there is no log-in" in capsys.readouterr().err
    assert "--server.address=0.0.0.0" in started[0].words


def test_missing_folder_is_refused(
    started: list[_Started],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _call(monkeypatch) == 2
    assert "runs: no such folder. Make it" in capsys.readouterr().err
    assert not started


def test_taken_port_is_refused_with_another_to_take(
    started: list[_Started],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert _call(monkeypatch, str(tmp_path), "--port", str(port)) == 2
    assert f"--port {port + 1}" in capsys.readouterr().err
    assert not started
