"""Processes by number and start: found, signalled and ended, and never taken for others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest

from adapters.processes import START_SLACK, ProcessMark, memory


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a group of its own and has a child in it."""
    code = "import subprocess, sys; print(flush=True); subprocess.run(['sleep', '600'], check=False)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        mark = ProcessMark.of(process.pid)
        _wait(lambda: len(mark.group()) == 2)
        yield process
        mark.stop_group(grace=0)


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_mark_survives_json_and_names_its_process(child: subprocess.Popen[bytes]) -> None:
    mark = ProcessMark.of(child.pid)
    assert ProcessMark.from_record(mark.as_record()) == mark
    assert mark.alive()
    assert mark != ProcessMark.of()
    assert memory(mark.group()) > memory([child.pid]) > 1 << 20


def test_the_group_is_ended_with_its_leader(child: subprocess.Popen[bytes]) -> None:
    mark = ProcessMark.of(child.pid)
    mark.stop_group(grace=5)
    assert mark.group() == []
    assert mark.alive() is False
    assert mark.stop_group(grace=5) is False


def test_the_group_is_ended_after_its_leader(child: subprocess.Popen[bytes]) -> None:
    mark = ProcessMark.of(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    _wait(lambda: not mark.alive())
    assert len(mark.group()) == 1
    assert mark.stop_group(grace=0) is True
    assert mark.group() == []


def test_a_process_that_ended_is_not_alive_and_gets_no_signal(child: subprocess.Popen[bytes]) -> None:
    mark = ProcessMark.of(child.pid)
    assert mark.signal(signal.SIGKILL)
    _wait(lambda: not mark.alive())  # a zombie by now
    child.wait()
    assert mark.alive() is False
    assert mark.signal(signal.SIGKILL) is False
    with pytest.raises(ProcessLookupError):
        ProcessMark.of(child.pid)


@pytest.mark.parametrize("change", [{"started": -60.0}, {"host": "elsewhere"}])
def test_another_process_of_that_number_is_left_alone(
    child: subprocess.Popen[bytes], change: dict[str, object]
) -> None:
    mark = replace(ProcessMark.of(child.pid), **change)  # type: ignore[arg-type]
    assert not mark.alive()
    assert mark.signal(signal.SIGKILL) is False
    assert mark.group() == []
    assert mark.stop_group(grace=0) is False
    assert child.poll() is None


def test_of_a_process_of_another_machine_nothing_is_known() -> None:
    assert replace(ProcessMark.of(), host="elsewhere").alive() is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep the start as the clock told it")
def test_setting_the_clock_does_not_make_it_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux shifts the time of its own start then, as after a pause of a virtual machine."""
    mark = ProcessMark.of()
    before, booted = psutil.Process().create_time(), psutil.boot_time()
    monkeypatch.setattr(
        "psutil._pslinux.BOOT_TIME", None, raising=False
    )  # what it keeps of an earlier answer
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 60)
    assert psutil.Process().create_time() > before + START_SLACK
    assert mark.alive()
