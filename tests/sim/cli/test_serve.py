"""`plures serve`, with a Python that only plays vLLM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters.engines.vllm.server.record import ServerRecord, read_record
from adapters.errors import ServerError
from sim.cli import serve
from tests.adapters.engines.vllm.fake_python import make_environment

runner = CliRunner()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A current folder with a made-up environment; a server left in it ends with the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLURES_SERVER", raising=False)
    monkeypatch.setenv("PLURES_VLLM_ENV", str(make_environment(tmp_path / "env")))
    yield
    if (record := read_record(tmp_path / "runs" / "server" / "server.json")) is not None:
        record.process.stop_group(grace=0)


def call(*words: object, status: int = 0) -> Result:
    result = runner.invoke(serve.app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result


def record() -> ServerRecord:
    found = read_record(Path("runs/server/server.json"))
    assert found is not None
    return found


def test_a_server_is_started_looked_at_and_stopped() -> None:
    shown = call("start", "--max-loras", 2, "--kv-cache", 0.1).stdout
    assert f"{record().url}  healthy" in shown
    assert "2 slots of rank up to 8, 8 in memory" in shown
    assert f"url: {record().url}, api_key_env: PLURES_VLLM_KEY" in shown
    assert record().api_key not in shown
    assert call("key").stdout.strip() == record().api_key
    told = json.loads(call("status", "--json").stdout)
    assert told["healthy"] is True
    assert told["adapters"] == ["user-0007@3f2a"]
    assert told["base_fingerprint"] == record().base_fingerprint
    assert "1 loaded" in call("status").stdout
    with pytest.raises(ServerError, match="runs already"):
        call("start")
    process = record().process
    assert f"process {process.pid} stopped" in call("stop").stdout
    assert process.group() == []
    assert "no server to stop" in call("stop").stdout


def test_without_a_server_status_says_so_and_fails() -> None:
    assert "`plures serve start --state runs/server` starts one" in call("status", status=1).stdout
    assert json.loads(call("status", "--json", status=1).stdout) is None
    with pytest.raises(ServerError, match="no server, so no key"):
        call("key")


def test_a_server_that_died_is_gone_and_its_status_fails() -> None:
    call("start", "--quiet", "--kv-cache", 0.1)
    record().process.stop_group(grace=0)
    assert "gone" in call("status", status=1).stdout
    assert json.loads(call("status", "--json", status=1).stdout)["alive"] is False


def test_starting_prints_json_without_the_key() -> None:
    told = json.loads(call("start", "--quiet", "--json", "--kv-cache", 0.1, "--rank", 9).stdout)
    assert told["max_lora_rank"] == 16
    assert "api_key" not in told


def test_flags_after_two_dashes_go_to_vllm() -> None:
    call("start", "--quiet", "--kv-cache", 0.1, "--", "--max-logprobs", "5")
    words = (Path("/proc") / str(record().pid) / "cmdline").read_text().split("\0")
    assert words[words.index("--max-logprobs") + 1] == "5"


def test_installing_tells_what_is_done_and_where() -> None:
    result = call("install")
    assert f"vLLM 0.27.1 for cpu in {os.environ['PLURES_VLLM_ENV']}" in result.stdout
    assert "Installing vLLM" in result.stderr


def test_help_does_not_load_torch() -> None:
    code = (
        "import sys; from sim.cli.app import app; app(['serve', 'start', '--help'], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
