"""Own against others: who is likeliest under the own adapter, and by how much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.likelihood_files import keep_likelihoods
from sim.views.likelihoods import likelihoods
from tests.sim.test_adapter_evidence import scores


def test_ties_share_the_credit_and_the_rank(tmp_path: Path) -> None:
    # ada: own 2, ben's 2, base 3: a tie. ben: own 1, ada's 5, base 3.
    seen = likelihoods(keep_likelihoods(tmp_path, scores(), {"ada": "a" * 64, "ben": "b" * 64}))
    assert seen.people.to_numpy().tolist() == [["ada", 2, 2, 3, 1], ["ben", 1, 5, 3, 1]]
    assert seen.own_first == pytest.approx((0.5 + 1) / 2)
    assert seen.chance == 0.5
    np.testing.assert_allclose(seen.saved, [[1, 1], [-2, 2]], atol=1e-6)


def test_rows_and_columns_are_the_same_people_in_the_same_order(tmp_path: Path) -> None:
    rows = [("ben", a, 1.0) for a in ("ada", "ben", "base")] + [
        ("ada", a, 2.0) for a in ("ada", "ben", "base")
    ]
    file = tmp_path / "e.parquet"
    pd.DataFrame(rows, columns=["person", "adapter", "nats"]).assign(revision="r").to_parquet(file)
    seen = likelihoods(file)
    assert list(seen.nats.index) == list(seen.nats.columns) == ["ada", "ben"]
    assert np.diag(seen.nats).tolist() == [2.0, 1.0]
