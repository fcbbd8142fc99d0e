"""Servers that outlive the command that started them."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.engines.vllm.server.record import ServerRecord, read_record, write_record
from adapters.engines.vllm.server.service import LOCK, RECORD, service_status, start_service, stop_service
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.errors import ServerError
from adapters.processes import ProcessMark
from tests.adapters.engines.vllm.fake_python import make_environment
from tests.adapters.engines.vllm.server import test_record

SETTINGS = ServerSettings(max_loras=2, kv_cache_gib=0.1)


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return make_environment(tmp_path / "env")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder whose server, if any is left, ends with the test."""
    folder = tmp_path / "state"
    yield folder
    record = read_record(folder / RECORD)
    if record is not None and record.process != ProcessMark.of():
        record.process.stop_group(grace=0)


def start(state: Path, env: Path) -> ServerRecord:
    return start_service(
        state, SETTINGS, env, port=None, timeout=20, on_progress=lambda _seconds, _line: None
    )


def test_a_service_is_started_found_and_stopped(state: Path, env: Path) -> None:
    record = start(state, env)
    found = service_status(state)
    assert found is not None
    assert found.record == record
    assert found.alive
    assert found.healthy
    assert found.adapters == ("user-0007@3f2a",)
    assert found.uptime is not None
    assert found.memory > 1 << 20
    assert "api_key" not in found.as_dict()
    assert record.api_key not in json.dumps(found.as_dict())
    stopped = stop_service(state, grace=5)
    assert stopped is not None
    assert stopped.how == "stopped"
    assert record.process.group() == []
    assert service_status(state) is None
    assert stop_service(state, grace=5) is None


def test_starting_twice_says_so(state: Path, env: Path) -> None:
    record = start(state, env)
    with pytest.raises(ServerError, match=rf"runs already at {record.url} \(process {record.pid}\)"):
        start(state, env)
    assert read_record(state / RECORD) == record


def test_the_record_of_a_dead_server_is_replaced(state: Path, env: Path) -> None:
    state.mkdir()
    write_record(
        state / RECORD, replace(test_record.RECORD, process=replace(ProcessMark.of(), pid=2**22 + 1))
    )
    found = service_status(state)
    assert found is not None
    assert not found.alive
    assert not found.healthy
    assert found.adapters is None
    assert found.uptime is None
    assert start(state, env).pid != 2**22 + 1


def test_a_recycled_pid_is_neither_taken_for_the_server_nor_ended(state: Path, env: Path) -> None:
    """The record names this very test's process, with an earlier start."""
    me = ProcessMark.of()
    state.mkdir()
    write_record(state / RECORD, replace(test_record.RECORD, process=replace(me, started=me.started - 60)))
    found = service_status(state)
    assert found is not None
    assert not found.alive
    stopped = stop_service(state, grace=0)
    assert stopped is not None
    assert stopped.how == "was gone already"
    assert not (state / RECORD).exists()


def test_a_server_of_another_machine_is_left_alone(state: Path, env: Path) -> None:
    """The folder may lie on a disk that machines share: there the pid means nothing here."""
    state.mkdir()
    elsewhere = replace(test_record.RECORD, process=replace(ProcessMark.of(), host="elsewhere"))
    write_record(state / RECORD, elsewhere)
    for act in (
        lambda: service_status(state),
        lambda: stop_service(state, grace=0),
        lambda: start(state, env),
    ):
        with pytest.raises(ServerError, match="server of another machine, elsewhere; stop it there"):
            act()
    assert read_record(state / RECORD) == elsewhere


def test_a_start_that_fails_leaves_no_record(state: Path, env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VLLM", "dies")
    with pytest.raises(ServerError, match="ended during its start"):
        start(state, env)
    assert service_status(state) is None
    assert (state / "server.log").read_text()


def test_a_start_is_on_record_before_the_server_is_healthy(
    state: Path, env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a start killed half-way does not leave a server that nobody can find."""
    seen = []
    start_service(
        state,
        SETTINGS,
        env,
        port=None,
        timeout=20,
        on_progress=lambda _seconds, _line: seen.append(read_record(state / RECORD)),
    )
    assert None not in seen
    assert seen


def test_two_commands_at_once_do_not_meet(state: Path, env: Path) -> None:
    state.mkdir()
    with (state / LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(ServerError, match="another command is starting or stopping its server"):
            start(state, env)


def test_stopping_where_nothing_was_started_does_nothing(tmp_path: Path) -> None:
    assert stop_service(tmp_path / "none", grace=0) is None
    assert service_status(tmp_path / "none") is None
