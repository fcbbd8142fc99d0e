"""A server that outlives the command that started it: one for each state folder, found again by its record.

STATE/server.json   where it is, its key (mode 0600)
STATE/server.log    its output
STATE/lock          held while a server is started or stopped
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from adapters.engines.vllm.server.probe import served_models
from adapters.engines.vllm.server.record import ServerRecord, read_record, write_record
from adapters.engines.vllm.server.server import START_SECONDS, OnProgress, Server, start_server
from adapters.engines.vllm.server.settings import ServerSettings
from adapters.errors import ServerError
from adapters.processes import memory

RECORD, LOG, LOCK = "server.json", "server.log", "lock"


@dataclass(frozen=True, slots=True)
class Status:
    """A server as it is now.

    Args:
        record: what was written down when it started.
        alive: whether its process runs.
        healthy: whether it answers and its engine is alive.
        adapters: names loaded into it, in its order; None when it does not answer.
        uptime: seconds since its start; None when it is not alive.
        memory: bytes of main memory of all its processes, shared pages counted in each.
    """

    record: ServerRecord
    alive: bool
    healthy: bool
    adapters: tuple[str, ...] | None
    uptime: float | None
    memory: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the key."""
        record = {key: value for key, value in self.record.as_dict().items() if key != "api_key"}
        adapters = None if self.adapters is None else list(self.adapters)
        now = {"alive": self.alive, "healthy": self.healthy, "uptime": self.uptime, "memory": self.memory}
        return {**now, "adapters": adapters, **record}


class Stopped(NamedTuple):
    """A server that was ended, and how: `stopped` when asked to, `killed` when it had to be, `was gone already`."""

    record: ServerRecord
    how: str


def start_service(
    state: Path,
    settings: ServerSettings,
    env: Path,
    *,
    port: int | None,
    timeout: float = START_SECONDS,
    on_progress: OnProgress,
) -> ServerRecord:
    """Start a server that goes on by itself; its record replaces that of a server that is gone.

    Raises:
        ServerError: when the folder's server runs already, and whatever `start_server` raises.
        BaseModelError: for a base that is missing or damaged.
    """
    state.mkdir(parents=True, exist_ok=True)
    with _locked(state):
        if (known := _recorded(state)) is not None and known.process.group():
            raise ServerError(
                f"{state}: a server of {known.served_name} runs already at {known.url} (process {known.pid}). "
                f"`plures serve stop --state {state}` ends it; --state OTHER starts one beside it."
            )
        try:
            server = start_server(
                settings,
                env,
                log=state / LOG,
                port=port,
                timeout=timeout,
                outlive=True,
                on_spawn=lambda record: write_record(state / RECORD, record),
                on_progress=on_progress,
            )
        except BaseException:
            (state / RECORD).unlink(missing_ok=True)
            raise
    return server.record


def service_status(state: Path) -> Status | None:
    """How the folder's server is; None where none was started, or the last one was stopped.

    Raises:
        ServerError: for a record that cannot be read.
    """
    record = _recorded(state)
    if record is None:
        return None
    server = Server(record)
    alive, healthy = server.alive(), server.healthy()
    started = datetime.fromisoformat(record.started_at)
    return Status(
        record=record,
        alive=alive,
        healthy=healthy,
        adapters=served_models(record.url, record.api_key).adapters if healthy else None,
        uptime=(datetime.now(UTC) - started).total_seconds() if alive else None,
        memory=memory(record.process.group()),
    )


def stop_service(state: Path, *, grace: float) -> Stopped | None:
    """End the folder's server with all its processes, and forget its record.

    Args:
        state: folder that it was started with.
        grace: seconds between SIGTERM and SIGKILL.

    Returns:
        What was ended; None where there is no server to stop.

    Raises:
        ServerError: when a process of it survives, or the record cannot be read.
    """
    if not state.is_dir():
        return None
    with _locked(state):
        record = _recorded(state)
        if record is None:
            return None
        was_there = bool(record.process.group())
        killed = Server(record).stop(grace)
        (state / RECORD).unlink()
    return Stopped(record, "killed" if killed else "stopped" if was_there else "was gone already")


def _recorded(state: Path) -> ServerRecord | None:
    """The folder's record, if it is of this machine, the only one where its process can be seen and ended."""
    record = read_record(state / RECORD)
    if record is not None and not record.process.is_here:
        raise ServerError(
            f"{state}: holds the server of another machine, {record.process.host}; stop it there, or name another "
            f"--state. If that machine is no more, delete {state / RECORD}."
        )
    return record


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    with (state / LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServerError(
                f"{state}: another command is starting or stopping its server; wait for it, or use another --state"
            ) from error
        yield
