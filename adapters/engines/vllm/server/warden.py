"""Ends a server when the program that started it is gone, however that program ended.

    python -m adapters.engines.vllm.server.warden PID STARTED HOST GRACE

Reads its standard input, a pipe whose other end only the parent holds, until the system closes it: the parent has
closed it or is dead, by SIGKILL too. Unlike the kernel's parent-death signal, this does not depend on which thread
started the server, and it reaches the whole process group.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import astuple

from adapters.processes import ProcessMark


def watch_over(process: ProcessMark, grace: float) -> subprocess.Popen[bytes]:
    """Start a warden for a server; closing its `stdin` (or dying) ends the server.

    Args:
        process: leader of the server's process group.
        grace: seconds that the server gets between SIGTERM and SIGKILL.
    """
    words = [
        sys.executable,
        "-P",
        "-m",
        "adapters.engines.vllm.server.warden",
        *map(str, astuple(process)),
        str(grace),
    ]
    return subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that a Ctrl-C meant for the parent does not end the warden first
    )


def main(process: ProcessMark, grace: float) -> None:
    """Wait for the end of standard input, then end the process group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    process.stop_group(grace=grace)


if __name__ == "__main__":
    pid, started, host, grace = sys.argv[1:]
    main(ProcessMark(int(pid), float(started), host), float(grace))
