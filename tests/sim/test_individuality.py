"""Held-out scoring: own, others' and no adapter under one neutral prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapters.bases.loader import load_base
from adapters.engines.local import LocalEngine
from adapters.store import AdapterStore
from metrics.individuality import BASE, individuality
from sim.errors import SimError
from sim.individuality import HeldOutScores, score_held_out
from sim.people import gather
from sim.progress import Silent
from sim.run_dir import RunDir
from tests.sim.conftest import SMALL


def _scores(revisions: dict[str, str], store: Path) -> HeldOutScores:
    people = gather(SMALL)
    base = load_base("tiny-moe")
    engine = LocalEngine(base, AdapterStore(store))
    try:
        return score_held_out(
            engine,
            base,
            [people.splits[user] for user in sorted(revisions)],
            revisions,
            rendering="words",
            held_out=3,
            calibration=2,
            watcher=Silent(),
        )
    finally:
        engine.close()


def test_matrix_has_a_row_for_each_post_and_a_column_for_each_adapter(
    small_run: RunDir, small_store: Path
) -> None:
    own = small_run.manifest["adapters"]["own"]
    scores = _scores(own, small_store)
    assert list(scores.nll.columns) == [*sorted(own), BASE]
    assert len(scores.nll) == len(own) * 5
    assert int(scores.calibration.sum()) == len(own) * 2
    assert np.isfinite(scores.nll.to_numpy()).all()
    result = individuality(
        scores.nll, scores.owner, scores.tokens, calibration=scores.calibration, rng=np.random.default_rng(0)
    )
    assert result.own_perplexity.value < result.base_perplexity.value


def test_missing_adapter_is_named(small_run: RunDir, small_store: Path) -> None:
    user = next(iter(small_run.manifest["adapters"]["own"]))
    with pytest.raises(SimError, match=r"f{64}"):
        _scores({user: "f" * 64}, small_store)
