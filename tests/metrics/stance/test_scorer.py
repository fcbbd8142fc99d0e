from __future__ import annotations

import io

import numpy as np
import pytest

from metrics.errors import StanceError
from metrics.stance import StanceScorer
from tests.metrics.stance.test_fitting import corpus, fit


@pytest.fixture(scope="module")
def scorer() -> StanceScorer:
    return fit(corpus())


def test_bytes_bring_back_the_same_scorer(scorer: StanceScorer) -> None:
    again = StanceScorer.from_bytes(scorer.to_bytes())
    texts = corpus(seed=3)[0]
    assert np.array_equal(again.score(texts), scorer.score(texts))
    assert (again.positive_side, again.negative_side, again.held_out) == ("up", "down", scorer.held_out)


def test_the_strongest_terms_are_the_words_of_each_side() -> None:
    strongest = fit(corpus(n_users=60, posts=5, marked=1.0)).strongest_terms(4)
    assert all(word.startswith("up") for word in strongest["up"])
    assert all(word.startswith("down") for word in strongest["down"])


def test_the_summary_names_sides_and_record(scorer: StanceScorer) -> None:
    assert scorer.summary.startswith("down (−1) to up (+1); held-out accuracy 1.000 of 16 users")


def test_damaged_or_foreign_bytes_are_refused(scorer: StanceScorer) -> None:
    other = io.BytesIO()
    np.savez(other, something=np.zeros(2))
    for data in (b"", b"no archive", scorer.to_bytes()[:500], other.getvalue()):
        with pytest.raises(StanceError, match="Fit it again"):
            StanceScorer.from_bytes(data)


def test_another_format_is_refused(scorer: StanceScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.stance.scorer._FORMAT", 2)
    later = scorer.to_bytes()
    monkeypatch.undo()
    with pytest.raises(StanceError, match="format 2; expected 1"):
        StanceScorer.from_bytes(later)
