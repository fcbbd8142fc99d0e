"""The matrix of an evaluation is written once and read back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metrics.likelihood_matrix import likelihood_matrix
from sim.errors import SimError
from sim.likelihood_files import keep_likelihoods, likelihood_files, read_likelihoods
from tests.sim.test_adapter_evidence import scores

REVISIONS = {"ada": "a" * 64, "ben": "b" * 64}


def test_what_is_kept_is_what_was_measured(tmp_path: Path) -> None:
    folder, seen = tmp_path / "kept", scores()
    file = keep_likelihoods(folder, seen, REVISIONS)
    expected = likelihood_matrix(seen.nll, seen.owner, seen.tokens, seen.calibration)
    found = read_likelihoods(file)
    assert list(found.index) == list(expected.index)
    assert list(found.columns) == list(expected.columns)
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-6)
    kept = pd.read_parquet(file)
    assert kept.loc[kept["adapter"] == "ben", "revision"].unique().tolist() == ["b" * 64]
    assert kept.loc[kept["adapter"] == "base", "revision"].isna().all()


def test_the_newest_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    assert likelihood_files(folder) == []
    file = keep_likelihoods(folder, scores(), REVISIONS)
    older = file.rename(file.with_name(f"2001{file.name[4:]}"))
    newest = keep_likelihoods(folder, scores(), REVISIONS)
    assert likelihood_files(folder) == [newest, older]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = keep_likelihoods(tmp_path, scores(), REVISIONS)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(SimError, match=r"\.parquet: damaged"):
        read_likelihoods(file)
    pd.DataFrame({"person": ["ada"], "adapter": ["ada"], "revision": ["a"], "nats": [1.0]}).to_parquet(file)
    with pytest.raises(SimError, match="damaged"):
        read_likelihoods(file)


def test_evaluations_of_one_second_are_kept_apart(tmp_path: Path) -> None:
    older, newer = (keep_likelihoods(tmp_path, scores(), REVISIONS) for _ in range(2))
    assert likelihood_files(tmp_path) == [newer, older]
