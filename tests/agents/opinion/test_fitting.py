"""Parameters come back from series that a model made."""

from __future__ import annotations

import numpy as np
import pytest

from agents.errors import OpinionError
from agents.opinion.averaging import DeGroot, FriedkinJohnsen
from agents.opinion.bounded_confidence import BoundedConfidence
from agents.opinion.fitting import fit_series
from agents.opinion.hegselmann_krause import HegselmannKrause
from agents.opinion.neighbours import Neighbours
from agents.opinion.protocol import OpinionModel
from agents.opinion.trajectory import everybody, simulate

SIZE, STEPS = 60, 12


def _fit(truth: OpinionModel, seed: int = 0):  # type: ignore[no-untyped-def]
    start = np.random.default_rng(1).uniform(-1, 1, SIZE) ** 3
    neighbours = Neighbours.complete(SIZE)
    path = simulate(truth, start, neighbours, everybody(STEPS, SIZE), np.random.default_rng(8))
    return fit_series(
        type(truth), start, path.mean(axis=1), path.std(axis=1), neighbours, np.random.default_rng(seed)
    )


@pytest.mark.parametrize("truth", [DeGroot(0.8), FriedkinJohnsen(0.3)], ids=lambda m: type(m).__name__)
def test_weights_are_recovered(truth: OpinionModel) -> None:
    fit = _fit(truth)
    (name,) = truth.RANGES
    assert fit.parameters[name] == pytest.approx(getattr(truth, name), abs=0.02)
    assert fit.loss < 0.02


def test_bound_of_confidence_is_recovered() -> None:
    """Chance differs between truth and fit, so α and ε come back roughly, and the series nearly."""
    fit = _fit(BoundedConfidence(epsilon=0.6, alpha=0.3))
    assert fit.parameters["epsilon"] == pytest.approx(0.6, abs=0.25)
    assert fit.loss < 0.05


def test_equal_seeds_give_equal_fits() -> None:
    assert _fit(HegselmannKrause(0.7)) == _fit(HegselmannKrause(0.7))


def test_what_the_series_cannot_tell_is_settled_for_less() -> None:
    """Two camps 2 apart: any bound below 2 gives the same series, so a small one is taken."""
    start = np.array([-1.0] * 5 + [1.0] * 5)
    fit = fit_series(
        HegselmannKrause, start, [0.0] * 5, [1.0] * 5, Neighbours.complete(10), np.random.default_rng(0)
    )
    assert fit.loss == 0.0
    assert fit.parameters["epsilon"] < 0.5


def test_steps_without_a_target_do_not_count() -> None:
    nan = float("nan")
    start, neighbours = np.array([-0.5, 0.5]), Neighbours.complete(2)
    fit = fit_series(DeGroot, start, [0.0, nan, 0.0], [0.5, nan, 0.5], neighbours, np.random.default_rng(0))
    assert fit.loss < 0.02
    with pytest.raises(OpinionError, match="no step after the first"):
        fit_series(DeGroot, start, [0.0, nan], [0.5, nan], neighbours, np.random.default_rng(0))
