from __future__ import annotations

import numpy as np
import pytest

from metrics.stance import fit_stance_scorer
from metrics.stance.judged import JudgedLearner
from metrics.stance.pooled import PooledLearner, pool_weights
from metrics.stance.tfidf import TfidfLearner
from tests.metrics.stance.test_fitting import corpus


def test_weights_recover_the_scale_of_calibrated_members() -> None:
    """Two independent pieces of evidence, one given at half and one at twice its worth: weights 2 and ½."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 20_000)
    evidence = [rng.normal((2 * classes - 1) * 0.8, 1.0) * 2 * 0.8 for _ in range(2)]  # log-likelihood ratios
    margins = [(evidence[0] / 2)[:, None], (evidence[1] * 2)[:, None]]
    assert pool_weights(margins, classes, np.ones(len(classes))) == pytest.approx([2.0, 0.5], rel=0.08)


def test_a_member_that_knows_nothing_is_hardly_heard() -> None:
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 3, 3000)
    telling = 2.0 * np.eye(3)[classes] + rng.normal(0, 1, (3000, 3))
    weights = pool_weights([telling, rng.normal(0, 1, (3000, 3))], classes, np.ones(3000))
    assert weights[0] > 1.0
    assert weights[1] < 0.1


def test_a_pool_is_fitted_within_each_training_part_and_names_its_members() -> None:
    deaf = JudgedLearner(lambda texts: np.zeros((len(texts), 1)), "deaf")
    pool = PooledLearner([TfidfLearner(), deaf])
    one, alone = (
        fit_stance_scorer(*corpus(), positive_side="up", rng=np.random.default_rng(0), learner=learner)
        for learner in (pool, TfidfLearner())
    )
    assert one.kind == "tfidf+deaf"
    assert one.held_out.accuracy_post == alone.held_out.accuracy_post
    texts = corpus(seed=3)[0]
    assert np.corrcoef(one.score(texts), alone.score(texts))[0, 1] > 0.99
