from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from adapters.errors import StoreError
from adapters.store.locks import held


def test_sharers_do_not_wait_for_each_other(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with held(file, exclusive=False, wait=0), held(file, exclusive=False, wait=0):
        pass


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_one_alone_shuts_out_all_others_until_it_ends(tmp_path: Path, first: bool, second: bool) -> None:
    file = tmp_path / "lock"
    with held(file, exclusive=first, wait=0), pytest.raises(StoreError, match=f"{file}.*0 s"):  # noqa: SIM117
        with held(file, exclusive=second, wait=0):
            pass
    with held(file, exclusive=second, wait=0):
        pass


def test_waiting_ends_when_the_holder_lets_go(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    taken = threading.Event()

    def hold() -> None:
        with held(file, exclusive=True, wait=0):
            taken.set()
            time.sleep(0.1)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    with held(file, exclusive=True, wait=30):
        pass
    holder.join()
