"""Run directories of a few numbers each, written without any model or simulation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metrics.tables import CellTables
from sim.cell import CellKey, grid
from sim.run_dir import FORMAT, RunDir, write_frame
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from tests.metrics.frames import random_cell

SIDES = ("supportive", "skeptical")


def made_run(
    path: Path,
    values: Callable[[CellKey, int], dict[str, float]],
    *,
    conditions: Sequence[str] = ("lora", "shared_base"),
    sizes: Sequence[int] = (8,),
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 2,
    written: Sequence[str] = (),
    **manifest: Any,
) -> RunDir:
    """A finished run.

    Args:
        path: its folder.
        values: (cell, step) → measures.
        conditions: in order.
        sizes: of the population; half of the users are of each side.
        seeds: of the cells.
        steps: of every cell.
        written: conditions in which users act at random on a platform; in the others nobody writes.
        manifest: what to change in the manifest.
    """
    plan = Scenario.model_validate(
        {
            "name": "made",
            "conditions": list(conditions),
            "seeds": list(seeds),
            "population": {"size": list(sizes)},
            "simulation": {"steps": steps},
            "compare": {"treatment": conditions[0], "control": conditions[-1]} if len(conditions) > 1 else {},
        }
    )
    run = RunDir(path)
    run.write_manifest(
        {
            "format": FORMAT,
            "state": "done",
            "scenario": as_plain(plan),
            "base": {"name": "tiny-moe", "fingerprint": "f" * 64, "toy": True},
            "corpus": {"name": "made", "sha256": "c" * 64},
            "sides": list(SIDES),
            "versions": {"python": "3.11", "torch": "2.13"},
            "hardware": {},
        }
        | manifest
    )
    for size in sizes:
        write_frame(_people(size), run.population_file(size))
    for key in grid(plan):
        cell = run.cell(key)
        rows = [(step, *item) for step in range(steps + 1) for item in values(key, step).items()]
        write_frame(stances(key, steps), cell.stance_file)
        if key.condition in written:
            write_platform(cell.database, random_cell(np.random.default_rng(key.seed), key.size, steps))
        write_frame(pd.DataFrame(rows, columns=["step", "metric", "value"]), cell.metrics_file)
    return run


def stances(key: CellKey, steps: int) -> pd.DataFrame:
    """Users of the positive side drift to 1, the others to −1; at step 0 nobody has shown a stance."""
    rows = [
        (step, user, np.nan if step == 0 else (1 if user % 2 == 0 else -1) * step / steps)
        for step in range(steps + 1)
        for user in range(key.size)
    ]
    return pd.DataFrame(rows, columns=["step", "user_id", "stance"])


def write_platform(path: Path, tables: CellTables) -> None:
    """A platform's database of given tables, in OASIS's columns as far as Plures reads them."""
    posts = tables.posts.assign(num_likes=0, num_dislikes=0, num_shares=0)
    users = pd.DataFrame({"user_id": tables.users, "user_name": "", "name": "", "bio": ""})
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        named = {"user": users, "post": posts, "like": tables.likes, "dislike": tables.dislikes}
        named |= {"comment": tables.comments, "follow": tables.follows}
        for name, table in named.items():
            table.astype(object).where(table.notna(), None).to_sql(name, database, index=False)
        database.commit()


def unfinish(run: RunDir, key: CellKey) -> None:
    """Take a cell back to before it was measured, and let the run go on."""
    run.cell(key).metrics_file.unlink()
    manifest = json.loads(run.manifest_file.read_text("utf-8"))
    run.manifest_file.write_text(json.dumps(manifest | {"state": "running"}), "utf-8")


def _people(size: int) -> pd.DataFrame:
    users = range(size)
    return pd.DataFrame(
        {
            "agent_id": users,
            "user_id": [f"person {user}" for user in users],
            "handle": [f"handle{user}" for user in users],
            "side": [SIDES[user % 2] for user in users],
            "persona": "somebody",
            "activity": 0.5,
        }
    )
