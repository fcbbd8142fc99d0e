from __future__ import annotations

import pytest

from metrics.stance import StanceScorer
from tests.metrics.stance.test_fitting import corpus, fit


@pytest.fixture(scope="module")
def scorer() -> StanceScorer:
    return fit(corpus())


def test_the_summary_names_kind_sides_and_record(scorer: StanceScorer) -> None:
    assert scorer.summary.startswith("tfidf, down (−1) to up (+1); held-out accuracy 1.000 of 16 users")


def test_no_texts_give_no_scores(scorer: StanceScorer) -> None:
    assert scorer.score([]).shape == (0,)
