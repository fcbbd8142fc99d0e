"""What a server's log says: its last line, and why the server did not start."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TAIL_BYTES = 256 << 10
_LONGEST_LINE = 300
_MOST_REASONS = 3

_PREFIX = re.compile(
    r"^(\((?:APIServer|EngineCore|Worker)[^)]*\)\s*)?"  # which of the server's processes
    r"((?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+\d\d-\d\d [\d:]+\s+)?"
    r"(\[[\w./]+:\d+\]\s?)?"
)
_REASON = re.compile(
    r"^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b(?::|$)|^\S*api_server\S*: error:"
)
_ECHOES = (
    "Engine core initialization failed",
    "WorkerProc initialization failed",
    "EngineCore failed to start",
)


def tail(log: Path) -> list[str]:
    """The last lines of a log, without vLLM's prefixes and without empty ones; none when there is no log."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    plain = (_PREFIX.sub("", line).strip() for line in text.splitlines())
    return [line[:_LONGEST_LINE] for line in plain if line]


def last_line(log: Path) -> str:
    """The newest line that says something; empty when there is none."""
    return next(reversed(tail(log)), "")


def reasons(log: Path) -> list[str]:
    """Lines that name an exception or a refused flag, first cause first, each once; echoes of others left out.

    Without such a line, the last lines of all.
    """
    lines = tail(log)
    named = [line for line in lines if _REASON.match(line)]
    causes = [line for line in named if not any(echo in line for echo in _ECHOES)]
    return list(dict.fromkeys(causes or named))[:_MOST_REASONS] or lines[-_MOST_REASONS:]
