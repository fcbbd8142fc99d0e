from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from metrics.stance import fit_labelled, fit_stance_scorer
from metrics.stance.vectors import VectorLearner
from tests.metrics.stance.test_tfidf import task_of


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors on a circle: the text is its angle in degrees."""
    angle = np.radians([float(text.split()[0]) for text in texts])
    return np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


LEARNER = VectorLearner(embed, "circle")


def test_classes_that_no_line_separates_are_told_apart() -> None:
    """Opposite quadrants form one class: the reason for a kernel."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 360, 300)
    classes = [int((angle // 90) % 2) for angle in angles]
    model = LEARNER.lesson([f"{a:.3f}" for a in angles]).model(task_of(classes, neutral=False))
    assert np.sign(model.margins(["45", "135", "225", "315"])[:, 0]).tolist() == [-1, 1, -1, 1]


def test_the_middle_between_two_even_sides_scores_about_zero() -> None:
    rng = np.random.default_rng(1)
    texts, sides, users = [], [], []
    for user in range(20):
        side = ("right", "left")[user % 2]
        for angle in rng.normal(45 if side == "right" else 135, 20, 10):
            texts.append(f"{angle:.3f}")
            sides.append(side)
            users.append(str(user))
    scorer = fit_stance_scorer(texts, sides, users, positive_side="right", rng=rng, learner=LEARNER)
    scores = scorer.score(["45", "90", "135"])
    assert scores[0] > 0.7
    assert abs(scores[1]) < 0.15
    assert scores[2] < -0.7
    assert scorer.held_out.accuracy_user == 1.0
    assert scorer.kind == "circle"


def test_the_fit_has_no_chance_in_it() -> None:
    texts = [str(angle) for angle in range(0, 360, 3)]
    labels = ["a" if int(text) < 180 else "b" for text in texts]
    one, two = (fit_labelled(texts, labels, rng=np.random.default_rng(5), learner=LEARNER) for _ in range(2))
    assert np.array_equal(one.probabilities(texts), two.probabilities(texts))


def test_no_texts_have_no_margins() -> None:
    texts = [str(angle) for angle in range(0, 360, 30)]
    model = LEARNER.lesson(texts).model(task_of([int(int(t) > 150) for t in texts]))
    assert model.margins([]).shape == (0, 1)


def test_landmarks_are_bounded_however_many_texts_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.stance.vectors.LANDMARKS", 7)
    texts = [str(angle / 3) for angle in range(300)]
    model = LEARNER.lesson(texts).model(task_of([i % 2 for i in range(300)]))
    assert model.centre.shape == (7,)
