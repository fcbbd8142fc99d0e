from __future__ import annotations

import numpy as np
import pytest

from metrics.errors import StanceError
from metrics.stance import fit_stance_scorer
from metrics.stance.lexicon import LexiconLearner, log_odds
from tests.metrics.stance.test_fitting import corpus
from tests.metrics.stance.test_tfidf import task_of


def test_log_odds_by_hand() -> None:
    """Monroe et al. 2008 eq. 15–22 for two words: y = (8, 2) against (2, 8), α = (1, 1).

    δ = ln(9/(10 + 2 − 9)) − ln(3/(10 + 2 − 3)) = ln 3 − ln ⅓ = 2 ln 3; σ² = 1/9 + 1/3 = 4/9; ζ = 3 ln 3.
    """
    z = log_odds(np.array([8.0, 2]), np.array([2.0, 8]), np.ones(2))
    assert z == pytest.approx([3 * np.log(3), -3 * np.log(3)])


def test_a_word_that_makes_no_difference_is_about_standard_normal() -> None:
    """Counts of two classes from one distribution: the mean of ζ is 0 and its spread 1."""
    rng = np.random.default_rng(0)
    frequency = rng.dirichlet(np.ones(400))
    one, other = rng.multinomial(40_000, frequency), rng.multinomial(40_000, frequency)
    z = log_odds(one.astype(float), other.astype(float), 1e-3 * (one + other) + 1e-6)
    assert abs(z.mean()) < 0.15
    assert z.std() == pytest.approx(1.0, abs=0.15)


def test_the_prior_holds_back_rare_words() -> None:
    """Three of three is weaker evidence than thirty of thirty-two."""
    counts, others = np.array([3.0, 30, 500]), np.array([0.0, 2, 500])
    z = log_odds(counts, others, 0.03 * (counts + others))
    assert 0 < z[0] < z[1]


def test_exchanging_the_classes_changes_only_the_sign() -> None:
    texts, sides, _ = corpus()
    up = LexiconLearner().lesson(texts).model(task_of([int(s == "up") for s in sides]))
    down = LexiconLearner().lesson(texts).model(task_of([int(s == "down") for s in sides]))
    assert up.margins(texts) == pytest.approx(-down.margins(texts))


def test_the_score_is_the_mean_weight_over_all_words() -> None:
    texts = ["good day", "good night", "bad day", "bad night"]
    model = LexiconLearner().lesson(texts).model(task_of([1, 1, 0, 0]))
    weight = dict(model.entries())
    assert weight["good"] == -weight["bad"] > 0
    assert weight["day"] == 0.0
    # "good x y": three words and two pairs, of which only `good` is known
    assert model.margins(["good x y", "", "zz"])[:, 0] == pytest.approx([weight["good"] / 5, 0.0, 0.0])


def test_a_lexicon_tells_the_sides_of_unseen_users() -> None:
    scorer = fit_stance_scorer(
        *corpus(), positive_side="up", rng=np.random.default_rng(0), learner=LexiconLearner()
    )
    assert scorer.kind == "lexicon"
    assert scorer.held_out.accuracy_user == 1.0
    assert scorer.score(["up1 up2", "down1 down2"]).round().tolist() == [1.0, -1.0]


def test_texts_without_a_repeated_word_make_no_lexicon() -> None:
    with pytest.raises(StanceError, match="no word occurs in two of them"):
        LexiconLearner().lesson(["a", "b"]).model(task_of([0, 1]))
