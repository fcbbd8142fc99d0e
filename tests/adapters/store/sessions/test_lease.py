from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from adapters.errors import StoreError
from adapters.store.sessions.lease import holder, is_held, leased


def hold_in_child(file: Path) -> int:
    """The id of a process that holds the lease until it is killed."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with leased(file, "thing"):
            os.write(tell, b"!")
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    return child


def end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_busy_lease_is_refused_with_the_name_of_its_holder(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    child = hold_in_child(file)
    try:
        busy = pytest.raises(
            StoreError, match=rf"^thing: process {child} on \S+ since 20\d\d-.* UTC is writing"
        )
        with busy, leased(file, "thing"):
            pass
        assert is_held(file)
    finally:
        end(child)


def test_a_holder_that_is_killed_releases_it_at_once(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    child = hold_in_child(file)
    end(child)
    assert not is_held(file)
    died = holder(file)
    assert died is not None
    assert died.pid == child
    with leased(file, "thing"):
        pass


def test_who_lets_go_leaves_nobody_named(tmp_path: Path) -> None:
    """Also when the block raises."""
    file = tmp_path / "lock"
    with pytest.raises(KeyError), leased(file, "thing"):
        assert is_held(file)
        raise KeyError
    assert holder(file) is None
    assert not is_held(file)


def test_a_holder_that_hangs_can_be_pushed_out(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    child = hold_in_child(file)
    try:
        with leased(file, "thing", take_over=True):
            now = holder(file)
            assert now is not None
            assert now.pid == os.getpid()
            with pytest.raises(StoreError, match=f"process {os.getpid()}"), leased(file, "thing"):
                pass
    finally:
        end(child)


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"), leased(tmp_path / "lock", "thing"):
        pass


@pytest.mark.parametrize("text", ["", "half {", "[1, 2]", '{"pid": 1}'])
def test_an_unreadable_text_names_nobody(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lock"
    file.write_text(text)
    assert holder(file) is None
