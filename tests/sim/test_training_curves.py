"""Training curves lie beside the revisions that they led to, and nothing depends on them."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from adapters.store.layout import StoreLayout
from sim.errors import SimError
from sim.run_dir import RunDir
from sim.training_curves import curves_with, keep_curves

ADA, BEN, EVA = "a" * 64, "b" * 64, "e" * 64


def test_a_revision_is_found_with_its_companions(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    keep_curves(folder, "one", {ADA: [3.0, 2.0, 1.0], BEN: [4.0, 2.5]})
    keep_curves(folder, "other", {EVA: [9.0]})
    found = curves_with(folder, BEN)
    assert found["revision"].tolist() == [ADA] * 3 + [BEN] * 2
    assert found["step"].tolist() == [1, 2, 3, 1, 2]
    assert found["loss"].tolist() == [3.0, 2.0, 1.0, 4.0, 2.5]


def test_of_several_trainings_that_gave_a_revision_the_newest_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    newest = keep_curves(folder, "a", {ADA: [1.0]})
    os.utime(keep_curves(folder, "b", {ADA: [2.0]}), ns=(0, 0))
    assert newest.stat().st_mtime_ns > 0
    assert curves_with(folder, ADA)["loss"].tolist() == [1.0]


def test_no_curves_are_no_rows(tmp_path: Path) -> None:
    assert curves_with(tmp_path, ADA).empty


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = keep_curves(tmp_path, "one", {ADA: [1.0]})
    file.write_bytes(content)
    with pytest.raises(SimError, match=r"one\.parquet: damaged"):
        curves_with(tmp_path, ADA)


def test_missing_columns_are_damage(tmp_path: Path) -> None:
    file = keep_curves(tmp_path, "one", {ADA: [1.0]})
    pd.DataFrame({"revision": [ADA]}).to_parquet(file)
    with pytest.raises(SimError, match="damaged"):
        curves_with(tmp_path, ADA)


def test_a_run_keeps_the_curves_of_what_it_trains(small_run: RunDir, small_store: Path) -> None:
    own = small_run.manifest["adapters"]["own"]
    for revision in own.values():
        curves = curves_with(StoreLayout(small_store).trainings, revision)
        assert set(curves["revision"]) == set(own.values())
        mine = curves[curves["revision"] == revision]
        assert mine["step"].tolist() == list(range(1, len(mine) + 1))
