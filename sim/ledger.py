"""The ledger: one row for every request of a cell, failures included. No clock in it: equal runs, equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.atomic import write_atomic
from sim.errors import RunDirError


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One request and all that came of it.

    `outcome` is `done`, or the platform's reason, or the failure's kind; `error` says it in words.
    `logprob` is the reply's log-probability under the model itself, summed over its tokens (natural log).
    """

    step: int
    agent_id: int
    adapter: str | None
    seed: int
    prompt: str
    prompt_sha256: str
    prompt_tokens: int
    feed: Sequence[int]
    reply: str
    reply_tokens: Sequence[int]
    logprob: float
    finish_reason: str
    action: str | None
    post_id: int | None
    followee_id: int | None
    content: str | None
    ok: bool
    outcome: str
    error: str | None


LEDGER_SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("agent_id", pa.int32()),
        ("adapter", pa.string()),
        ("seed", pa.int64()),
        ("prompt", pa.string()),
        ("prompt_sha256", pa.string()),
        ("prompt_tokens", pa.int32()),
        ("feed", pa.list_(pa.int64())),
        ("reply", pa.string()),
        ("reply_tokens", pa.list_(pa.int32())),
        ("logprob", pa.float64()),
        ("finish_reason", pa.string()),
        ("action", pa.string()),
        ("post_id", pa.int64()),
        ("followee_id", pa.int64()),
        ("content", pa.string()),
        ("ok", pa.bool_()),
        ("outcome", pa.string()),
        ("error", pa.string()),
    ]
)


class Ledger:
    """The ledger of one cell: a part for each finished step, one file once the cell is done.

    Args:
        folder: the cell's directory.
    """

    def __init__(self, folder: Path) -> None:
        self._whole = folder / "ledger.parquet"
        self._parts = folder / "ledger"

    def append(self, step: int, rows: Sequence[LedgerRow]) -> None:
        """Write the rows of one step; writing a step again replaces it."""
        table = pa.Table.from_pylist([asdict(r) for r in rows], schema=LEDGER_SCHEMA)
        write_atomic(self._part(step), lambda path: _write(table, path))

    def forget_after(self, step: int) -> None:
        """Drop parts of steps later than `step`: they had not been finished."""
        for part in self._finished_parts():
            if int(part.stem) > step:
                part.unlink()

    def seal(self) -> None:
        """Join the parts into `ledger.parquet`, then remove them."""
        parts = self._finished_parts()
        if parts:
            table = pa.concat_tables([pq.read_table(p, schema=LEDGER_SCHEMA) for p in parts])
            write_atomic(self._whole, lambda path: _write(table, path))
        for part in parts:
            part.unlink()
        if self._parts.is_dir():
            self._parts.rmdir()

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows so far, in the order of steps; also while the cell is running.

        Raises:
            RunDirError: for a damaged file.
        """
        files = [self._whole] if self._whole.exists() else self._finished_parts()
        names = list(columns) if columns is not None else LEDGER_SCHEMA.names
        schema = pa.schema([LEDGER_SCHEMA.field(n) for n in names])
        tables = []
        for file in files:
            try:
                tables.append(pq.read_table(file, columns=names))
            except (pa.ArrowException, OSError) as error:
                raise RunDirError(
                    f"{file}: damaged ledger ({error}). Delete the cell's folder, then resume."
                ) from error
        frame: pd.DataFrame = pa.concat_tables([schema.empty_table(), *tables]).to_pandas()
        return frame.astype({name: "Int64" for name in ("post_id", "followee_id") if name in names})

    def _part(self, step: int) -> Path:
        return self._parts / f"{step:06d}.parquet"

    def _finished_parts(self) -> list[Path]:
        return sorted(self._parts.glob("[0-9]*.parquet"))


def _write(table: Any, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")
