"""The ledger: what is appended is read back, in order, whole or in parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sim.errors import RunDirError
from sim.ledger import LEDGER_SCHEMA, Ledger, LedgerRow

ROW = LedgerRow(
    step=1, agent_id=0, adapter=None, seed=7, prompt="p", prompt_sha256="0" * 64, prompt_tokens=3, feed=[4, 5],
    reply='{"action":"do_nothing"}', reply_tokens=[1, 2], logprob=-0.5, finish_reason="stop", action="do_nothing",
    post_id=None, followee_id=None, content=None, ok=True, outcome="done", error=None,
)  # fmt: skip


def test_parts_read_as_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(2, [replace(ROW, step=2)])
    ledger.append(1, [ROW, replace(ROW, agent_id=1)])
    running = ledger.read()
    ledger.seal()
    assert list(zip(running.step, running.agent_id, strict=True)) == [(1, 0), (1, 1), (2, 0)]
    assert running.equals(ledger.read())
    assert not (tmp_path / "ledger").exists()
    assert list(running.feed[0]) == [4, 5]


def test_unfinished_steps_are_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for step in (1, 2, 3):
        ledger.append(step, [replace(ROW, step=step)])
    ledger.forget_after(1)
    assert list(ledger.read(["step"]).step) == [1]


def test_equal_rows_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        ledger = Ledger(tmp_path / name)
        ledger.append(1, [ROW])
        ledger.seal()
    assert (tmp_path / "a" / "ledger.parquet").read_bytes() == (
        tmp_path / "b" / "ledger.parquet"
    ).read_bytes()


def test_empty_ledger_has_the_columns(tmp_path: Path) -> None:
    assert list(Ledger(tmp_path).read().columns) == LEDGER_SCHEMA.names


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(RunDirError, match=r"ledger\.parquet: damaged"):
        Ledger(tmp_path).read()
