"""Run directories as they must never be and sometimes are: half-written, damaged, newer, hostile.

Each breakage takes the folder of a good, finished run of its own and spoils it.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

Breakage = Callable[[Path], None]

HOSTILE_NAMES = (
    "<script>alert(1)</script>".replace("/", "∕"),
    "$x^2$ `code` **bold** [a](b) ![i](http:x)",
    ":material∕home: :red[red] :streamlit:",
    "comma, per%cent, plus+and&amp; #hash ?query=1",
    "two\nlines\tand a tab",
    "\u202eright to left\u202c",
    "-rf * ~ .. 'quoted' \"double\" \\",
    "long" * 50,
)
"""Names that folders can have."""

HOSTILE_TEXTS = (
    "<script>document.title='owned'</script><img src=x onerror=alert(1)>",
    "![image](http://203.0.113.7/track.png) [link](javascript:alert(1)) <http://203.0.113.7>",
    "$\\frac{1}{0}$ $$x$$ `code` **bold** _it_ ~~gone~~ # heading",
    ":material/home: :red[red] :streamlit: :blue-background[x] :tada:",
    "<b>bold</b><br><a href='http://203.0.113.7'>click</a> &lt;b&gt;",
    "%{x} %{customdata[0]} <extra></extra>",
    "\u202eright to left\u202c \u2067isolate\u2069 e\u0301 \U0001f468\u200d\U0001f469",
    '=HYPERLINK("http://203.0.113.7")',
    "bell\x07 escape\x1b[31m delete\x7f",
    "long " * 2000,
)
"""What posts, names and descriptions can hold."""


def cells(run: Path) -> list[Path]:
    """Folders of the cells, in order of names."""
    return sorted((run / "cells").iterdir())


def edit_json(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON object in its file."""
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def cut(file: Path) -> None:
    """Leave the first half of a file."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def without_columns(file: Path) -> None:
    """Keep the first column alone."""
    pd.read_parquet(file).iloc[:, :1].to_parquet(file)


def without_rows(file: Path) -> None:
    """Keep the columns alone."""
    pd.read_parquet(file).iloc[:0].to_parquet(file)


def state(run: Path, name: str) -> None:
    """Say in the manifest how far the run is."""
    edit_json(run / "manifest.json", lambda manifest: manifest.update(state=name))


def unfinished(cell: Path, *, step: int) -> None:
    """As a cell is while it runs: parts of a ledger up to a step, a database at that step, no measures."""
    ledger = pd.read_parquet(cell / "ledger.parquet")
    for name in ("ledger.parquet", "stance.parquet", "metrics.parquet"):
        (cell / name).unlink()
    (cell / "ledger").mkdir()
    for number in range(1, step + 1):
        ledger[ledger["step"] == number].to_parquet(cell / "ledger" / f"{number:06}.parquet")
    with sqlite3.connect(cell / "platform.db") as db:
        db.execute(f"PRAGMA user_version = {step}")
    db.close()


def no_totals(run: Path) -> None:
    """Remove what is written last of all."""
    for name in ("metrics.parquet", "comparison.csv", "report.html"):
        (run / name).unlink(missing_ok=True)


def killed_before_people(run: Path) -> None:
    """Only the manifest is there."""
    state(run, "preparing")
    shutil.rmtree(run / "cells")
    no_totals(run)
    for file in run.glob("population-*.parquet"):
        file.unlink()


def killed_before_cells(run: Path) -> None:
    """People, and no cell."""
    state(run, "running")
    shutil.rmtree(run / "cells")
    no_totals(run)


def killed_in_first_cell(run: Path) -> None:
    """One step of the first cell."""
    state(run, "running")
    no_totals(run)
    first, *others = cells(run)
    unfinished(first, step=1)
    for cell in others:
        shutil.rmtree(cell)


def killed_before_first_step(run: Path) -> None:
    """A cell with its bindings and nothing else."""
    killed_in_first_cell(run)
    shutil.rmtree(cells(run)[0] / "ledger")
    (cells(run)[0] / "platform.db").unlink()


def killed_after_first_cell(run: Path) -> None:
    """One cell done, one begun, the others not."""
    state(run, "interrupted")
    no_totals(run)
    _, second, *others = cells(run)
    unfinished(second, step=2)
    for cell in others:
        shutil.rmtree(cell)


def killed_while_measuring(run: Path) -> None:
    """A sealed ledger without measures."""
    state(run, "failed")
    no_totals(run)
    for cell in cells(run):
        (cell / "metrics.parquet").unlink()
        (cell / "stance.parquet").unlink()


def _in_cells(name: str, spoil: Breakage) -> Breakage:
    def breakage(run: Path) -> None:
        for cell in cells(run):
            spoil(cell / name)

    return breakage


def _in_run(pattern: str, spoil: Breakage) -> Breakage:
    def breakage(run: Path) -> None:
        for file in run.glob(pattern):
            spoil(file)

    return breakage


def _manifest(change: Callable[[dict[str, Any]], object]) -> Breakage:
    return lambda run: edit_json(run / "manifest.json", change)


def _text(content: str) -> Breakage:
    def breakage(file: Path) -> None:
        file.write_text(content)

    return breakage


def _bytes(content: bytes) -> Breakage:
    def breakage(file: Path) -> None:
        file.write_bytes(content)

    return breakage


def _beside(name: str, content: str) -> Breakage:
    def breakage(run: Path) -> None:
        (run / name).write_text(content)

    return breakage


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


HALF_WRITTEN: Mapping[str, Breakage] = {
    "killed before people": killed_before_people,
    "killed before cells": killed_before_cells,
    "killed before the first step": killed_before_first_step,
    "killed in the first cell": killed_in_first_cell,
    "killed after the first cell": killed_after_first_cell,
    "killed while measuring": killed_while_measuring,
}
"""What a kill at some moment leaves."""

UNREADABLE: Mapping[str, Breakage] = {
    "manifest empty": _in_run("manifest.json", _text("")),
    "manifest cut": _in_run("manifest.json", cut),
    "manifest a list": _in_run("manifest.json", _text("[]")),
    "manifest a folder": _in_run("manifest.json", _folder),
    "manifest not UTF-8": _in_run(
        "manifest.json", lambda file: file.write_bytes(b'{"state": "\xff"}') and None
    ),
    "manifest without keys": _in_run("manifest.json", _text("{}")),
    "manifest without scenario": _manifest(lambda m: m.pop("scenario")),
    "scenario invalid": _manifest(lambda m: m["scenario"].update(conditions="lora")),
    "newer format": _manifest(lambda m: m.update(format=99)),
    "format in words": _manifest(lambda m: m.update(format="one")),
}
"""Runs of which nothing can be shown."""

DAMAGED: Mapping[str, Breakage] = {
    "manifest without sides": _manifest(lambda m: m.pop("sides")),
    "manifest without state": _manifest(lambda m: m.pop("state")),
    "manifest with strange types": _manifest(
        lambda m: m.update(sides=7, base="x", adapters=[], hardware=None)
    ),
    "population cut": _in_run("population-*.parquet", cut),
    "population without columns": _in_run("population-*.parquet", without_columns),
    "population without rows": _in_run("population-*.parquet", without_rows),
    "cell.json cut": _in_cells("cell.json", cut),
    "cell.json without bindings": _in_cells("cell.json", _text("{}")),
    "cell.json missing": _in_cells("cell.json", Path.unlink),
    "database missing": _in_cells("platform.db", Path.unlink),
    "database empty": _in_cells("platform.db", _text("")),
    "database no SQLite": _in_cells("platform.db", _text("not a database at all " * 100)),
    "database cut": _in_cells("platform.db", cut),
    "ledger missing": _in_cells("ledger.parquet", Path.unlink),
    "ledger cut": _in_cells("ledger.parquet", cut),
    "ledger without columns": _in_cells("ledger.parquet", without_columns),
    "ledger without rows": _in_cells("ledger.parquet", without_rows),
    "stance missing": _in_cells("stance.parquet", Path.unlink),
    "stance cut": _in_cells("stance.parquet", cut),
    "stance without columns": _in_cells("stance.parquet", without_columns),
    "stance without rows": _in_cells("stance.parquet", without_rows),
    "measures cut": _in_cells("metrics.parquet", cut),
    "measures without columns": _in_cells("metrics.parquet", without_columns),
    "measures without rows": _in_cells("metrics.parquet", without_rows),
    "measures a folder": _in_cells("metrics.parquet", _folder),
    "totals cut": _in_run("metrics.parquet", cut),
    "comparison broken": _in_run("comparison.csv", _text('"')),
    "timings broken": _beside("timings.json", "{"),
    "progress broken": _beside("progress.json", "{"),
}
"""Finished runs with a spoilt file."""


def hostile_texts(run: Path) -> None:
    """Let every text that a stranger could have written be hostile: posts, comments, names, personas, replies."""
    texts = itertools.cycle(HOSTILE_TEXTS)
    people = next(run.glob("population-*.parquet"))
    population = pd.read_parquet(people)
    sides = dict(zip(sorted(population["side"].unique()), HOSTILE_TEXTS, strict=False))
    population["side"] = population["side"].map(sides)
    population["handle"] = [f"{text[:80]}{i}" for i, text in zip(population["agent_id"], texts, strict=False)]
    population["persona"] = [next(texts) for _ in population["agent_id"]]
    population["user_id"] = [f"{next(texts)[:60]}{i}" for i in population["agent_id"]]
    population.to_parquet(people)
    edit_json(
        run / "manifest.json",
        lambda manifest: (
            manifest.update(sides=[sides[side] for side in manifest["sides"]]),
            manifest["scenario"].update(description=" ".join(HOSTILE_TEXTS[:9])),
            manifest["base"].update(name=HOSTILE_TEXTS[0]),
            manifest["corpus"].update(name=HOSTILE_TEXTS[1], excluded={HOSTILE_TEXTS[2]: 3}),
        ),
    )
    for cell in cells(run):
        with sqlite3.connect(cell / "platform.db") as db:
            for table, key, columns in _TEXTS:
                rows = [row[0] for row in db.execute(f"SELECT {key} FROM {table}")]
                for row, column in itertools.product(rows, columns):
                    value = next(texts).replace("\x07", "")
                    db.execute(
                        f"UPDATE {table} SET {column} = ? WHERE {key} = ? AND {column} IS NOT NULL",
                        (value, row),
                    )
            for agent_id, handle in zip(population["agent_id"], population["handle"], strict=True):
                db.execute(
                    "UPDATE user SET user_name = ?, name = ? WHERE user_id = ?",
                    (handle, handle, int(agent_id)),
                )
        db.close()
        ledger = pd.read_parquet(cell / "ledger.parquet")
        for column in ("prompt", "reply", "content", "error"):
            ledger[column] = [next(texts) for _ in range(len(ledger))]
        ledger.to_parquet(cell / "ledger.parquet")


_TEXTS = (
    ("post", "post_id", ("content", "quote_content")),
    ("comment", "comment_id", ("content",)),
    ("user", "user_id", ("bio",)),
)
