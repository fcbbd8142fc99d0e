"""A real vLLM server's life, and the traps that belong to its start and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from adapters.engines.vllm.server.environment import interpreter
from adapters.engines.vllm.server.probe import served_models
from adapters.engines.vllm.server.server import Server, start_server
from adapters.engines.vllm.server.settings import LORA_RANKS
from tests.adapters.engines.vllm.conftest import SETTINGS

pytestmark = pytest.mark.vllm


def ask(server: Server, path: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=120, trust_env=False)


def test_it_is_healthy_and_serves_the_base_under_its_fingerprint(live_server: Server) -> None:
    assert live_server.healthy()
    assert served_models(live_server.url, live_server.api_key).bases == (live_server.record.served_name,)
    assert live_server.record.served_name == f"tiny-moe@{live_server.record.base_fingerprint[:12]}"


def test_a_base_of_another_fingerprint_is_unknown_there(live_server: Server) -> None:
    answer = ask(
        live_server, "/v1/completions", {"model": "tiny-moe@000000000000", "prompt": [5], "max_tokens": 1}
    )
    assert answer.status_code == 404


def test_it_refuses_who_has_not_the_key_which_no_command_line_and_no_log_shows(live_server: Server) -> None:
    assert httpx.get(f"{live_server.url}/v1/models", trust_env=False).status_code == 401
    for pid in live_server.record.process.group():
        assert live_server.api_key not in Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    assert live_server.api_key not in live_server.log.read_text("utf-8", "replace")


def test_it_lets_adapters_be_loaded_at_run_time(live_server: Server) -> None:
    """A folder that does not exist is refused as such; with loading off, the address itself would be unknown."""
    answer = ask(live_server, "/v1/load_lora_adapter", {"lora_name": "nobody", "lora_path": "/nowhere"})
    assert answer.status_code in (400, 404)
    assert "nobody" in answer.text or "/nowhere" in answer.text


def test_a_grammar_binds_the_reply(live_server: Server) -> None:
    """The regular expressions of agents/reply.py go to the library that the local engine masks with."""
    body = {
        "model": live_server.record.served_name,
        "prompt": [5, 6, 7],
        "max_tokens": 24,
        "temperature": 1.0,
        "seed": 3,
        "structured_outputs": {"regex": r'\{"action":"(like|post)","id":[0-9]{1,3}\}'},
    }
    answer = ask(live_server, "/v1/completions", body)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.json()["choices"][0]["text"])["action"] in ("like", "post")


def test_the_ranks_are_those_of_the_installed_vllm(vllm_environment: Path) -> None:
    """Trap: `--max-lora-rank` takes some values only."""
    code = "from typing import get_args; from vllm.config.lora import MaxLoRARanks; print(*get_args(MaxLoRARanks))"
    done = subprocess.run(
        [interpreter(vllm_environment), "-c", code], capture_output=True, text=True, check=True
    )
    assert tuple(map(int, done.stdout.splitlines()[-1].split())) == LORA_RANKS


def test_a_crash_leaves_the_engine_running_until_it_is_stopped(
    vllm_environment: Path, tmp_path: Path
) -> None:
    """Trap: the engine core and its worker outlive a killed API server, with their memory and cores."""
    settings = replace(SETTINGS, max_loras=2, kv_cache_gib=0.25)
    with start_server(settings, vllm_environment, log=tmp_path / "server.log") as server:
        assert server.healthy()
        whole = server.record.process.group()
        os.kill(server.record.pid, signal.SIGKILL)
        time.sleep(3)
        assert not server.alive()
        assert len(whole) - 1 == len(server.record.process.group()) >= 2
        assert server.stop() is True
        assert server.record.process.group() == []
