"""A vLLM server as a process: started, waited for until it is healthy, and ended with all its children."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.engines.vllm.server.command import arguments, environment
from adapters.engines.vllm.server.environment import VllmEnvironment, open_environment
from adapters.engines.vllm.server.fitting import check_fit, check_memory
from adapters.engines.vllm.server.installation import check_version
from adapters.engines.vllm.server.probe import is_healthy, served_models
from adapters.engines.vllm.server.record import ServerRecord
from adapters.engines.vllm.server.served_base import ServedBase, read_served_base
from adapters.engines.vllm.server.server_log import last_line, reasons
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.engines.vllm.server.warden import watch_over
from adapters.errors import ServerError
from adapters.processes import ProcessMark

HOST = "127.0.0.1"
"""Servers are reached from this machine only."""

START_SECONDS = 900.0
"""How long a server may take to become healthy: 35 s for a small base on two cores, minutes for a large one."""

GRACE_SECONDS = 20.0
"""How long a server has between SIGTERM and SIGKILL."""

OnProgress = Callable[[float, str], None]
"""Receives seconds since the start and the newest line of the server's log."""

_POLL_SECONDS = 0.2
_KEY_BYTES = 32


def _nobody(_seconds: float, _line: str) -> None:
    """Watches nothing."""


def _unrecorded(_record: ServerRecord) -> None:
    """Writes nothing down."""


class Server:
    """A server that was started; as a context manager it is stopped at the end.

    Args:
        record: where it is and what it serves.
        child: the process where it is ours, so that it can be taken off the process table.
    """

    def __init__(self, record: ServerRecord, child: subprocess.Popen[bytes] | None = None) -> None:
        self.record = record
        self._child = child
        self._warden: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without `/v1`."""
        return self.record.url

    @property
    def api_key(self) -> str:
        """What it asks of its clients."""
        return self.record.api_key

    @property
    def log(self) -> Path:
        """File of its output."""
        return self.record.log

    def alive(self) -> bool:
        """Whether its process runs; whether it answers as well is `healthy`."""
        return bool(self.record.process.alive())

    def healthy(self) -> bool:
        """Whether it answers and its engine is alive."""
        return self.alive() and is_healthy(self.url)

    def guard(self) -> None:
        """From now on it ends when this program ends, also by a crash or SIGKILL."""
        if self._warden is None:
            self._warden = watch_over(self.record.process, GRACE_SECONDS)

    def stop(self, grace: float = GRACE_SECONDS) -> bool:
        """End it and every process that it started; a second call does nothing.

        Args:
            grace: seconds between SIGTERM and SIGKILL.

        Returns:
            Whether SIGKILL was needed.

        Raises:
            ServerError: when a process of it survives.
        """
        killed = self.record.process.stop_group(grace=grace)
        if self._child is not None:
            self._child.wait()
        if self._warden is not None and self._warden.stdin is not None:
            self._warden.stdin.close()
            self._warden.wait()
        return killed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_server(
    settings: ServerSettings,
    env: Path,
    *,
    log: Path,
    port: int | None = None,
    timeout: float = START_SECONDS,
    outlive: bool = False,
    on_spawn: Callable[[ServerRecord], None] = _unrecorded,
    on_progress: OnProgress = _nobody,
) -> Server:
    """Start a server and wait until it is healthy; nothing of it is left behind when that fails.

    Args:
        settings: what to serve and how.
        env: folder of the vLLM environment.
        log: file for its output; one that exists is replaced.
        port: on 127.0.0.1; None for one that is free.
        timeout: seconds until it must be healthy.
        outlive: whether it goes on when this program ends, also by a crash.
        on_spawn: told of the process as soon as it exists, before it is healthy.
        on_progress: told several times a second how it goes.

    Raises:
        BaseModelError: for a base that is missing or damaged.
        ServerError: for an environment that is not ready, settings that do not fit the base or the machine, a port
            that is taken, or a server that dies or does not become healthy in time; its log is quoted.
    """
    base = read_served_base(settings.base)
    check_fit(settings, base)
    found = open_environment(env)
    _check_device(settings, found)
    check_version(found)
    check_memory(settings, base)
    chosen = _free_port() if port is None else _checked_port(port)
    key = secrets.token_urlsafe(_KEY_BYTES)
    child = _spawn(settings, found, base, chosen, key, log)
    server = Server(_record(settings, base, found, ProcessMark.of(child.pid), chosen, key, log), child)
    try:
        if outlive:
            threading.Thread(target=child.wait, name="vllm reaper", daemon=True).start()
        else:
            server.guard()
        on_spawn(server.record)
        _wait_until_healthy(server, child, timeout, on_progress)
    except BaseException:
        server.stop(grace=0)
        raise
    return server


def _check_device(settings: ServerSettings, found: VllmEnvironment) -> None:
    if settings.device != found.device:
        raise ServerError(
            f"device: got {settings.device}, but {found.path} holds vLLM {found.version} for {found.device}. "
            f"Run `plures serve install --device {settings.device} --env ANOTHER-FOLDER`, or ask for {found.device}."
        )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _checked_port(port: int) -> int:
    """Refuse a port that is taken: vLLM binds with SO_REUSEPORT, so two servers would share its requests."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except (OSError, OverflowError) as error:
        raise ServerError(
            f"port: {port} on {HOST} cannot be used ({error}). Give another one, or none for a free one."
        ) from error
    return port


def _spawn(
    settings: ServerSettings, found: VllmEnvironment, base: ServedBase, port: int, key: str, log: Path
) -> subprocess.Popen[bytes]:
    words = [str(found.python), *arguments(settings, base, port)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(
            words,
            env=environment(settings, key, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _record(
    settings: ServerSettings,
    base: ServedBase,
    found: VllmEnvironment,
    process: ProcessMark,
    port: int,
    key: str,
    log: Path,
) -> ServerRecord:
    return ServerRecord(
        url=f"http://{HOST}:{port}",
        api_key=key,
        process=process,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        base=settings.base,
        base_fingerprint=base.fingerprint,
        served_name=base.served_name,
        context=settings.context or base.context,
        max_loras=settings.max_loras,
        max_cpu_loras=settings.warm_adapters,
        max_lora_rank=settings.max_lora_rank,
        targets=settings.targets,
        device=settings.device,
        dtype=settings.dtype,
        version=found.version,
        log=log.absolute(),
    )


def _wait_until_healthy(
    server: Server, child: subprocess.Popen[bytes], timeout: float, on_progress: OnProgress
) -> None:
    began = time.monotonic()
    while child.poll() is None:
        elapsed = time.monotonic() - began
        on_progress(elapsed, last_line(server.log))
        if is_healthy(server.url):
            names = served_models(server.url, server.api_key).bases
            if server.record.served_name not in names:
                raise ServerError(
                    f"{server.url}: answers for {', '.join(names)}, not {server.record.served_name}"
                )
            return
        if elapsed > timeout:
            raise ServerError(
                f"vLLM: not healthy after {timeout:g} s; the last line of {server.log} is: "
                f"{last_line(server.log) or '(nothing)'}. Allow more with a longer timeout."
            )
        time.sleep(_POLL_SECONDS)
    quoted = "\n  ".join(reasons(server.log)) or "(nothing)"
    raise ServerError(
        f"vLLM: ended during its start with status {child.returncode}. {server.log} says:\n  {quoted}"
    )
