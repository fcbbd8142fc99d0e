from __future__ import annotations

import numpy as np
import pytest

from metrics.errors import StanceError
from metrics.stance.learner import Task
from metrics.stance.tfidf import TfidfLearner, TfidfModel
from tests.metrics.stance.test_fitting import corpus


def task_of(classes: list[int], *, neutral: bool = True) -> Task:
    n = len(classes)
    return Task(np.array(classes), len(set(classes)), np.ones(n), np.arange(n), neutral)


@pytest.fixture(scope="module")
def model() -> TfidfModel:
    texts, sides, _ = corpus(n_users=60, posts=5, marked=1.0)
    return TfidfLearner().lesson(texts).model(task_of([int(side == "up") for side in sides]))


def test_the_strongest_terms_are_the_words_of_each_side(model: TfidfModel) -> None:
    up, down = model.strongest_terms(4)
    assert all(word.startswith("up") for word in up)
    assert all(word.startswith("down") for word in down)


def test_a_text_without_known_terms_has_the_intercept_alone(model: TfidfModel) -> None:
    assert model.margins(["", "ξψζ"]).tolist() == [[0.0], [0.0]]
    texts = ["good good", "good", "bad", "bad", "so so", "so"] * 3
    three = TfidfLearner().lesson(texts).model(task_of([0, 0, 1, 1, 2, 2] * 3, neutral=False))
    assert three.margins(["ξψζ"])[0] == pytest.approx(three.intercept)
    assert three.margins(["good", "bad", "so"]).argmax(axis=1).tolist() == [0, 1, 2]


def test_held_out_margins_equal_those_of_a_model_that_saw_only_the_training_part() -> None:
    texts, sides, _ = corpus(n_users=8, posts=5)
    classes = [int(side == "up") for side in sides]
    train, test = np.arange(30), np.arange(30, 40)
    held_out = TfidfLearner().lesson(texts).held_out(task_of(classes), train, test)
    alone = TfidfLearner().lesson(texts[:30]).model(task_of(classes[:30]))
    assert held_out == pytest.approx(alone.margins(texts[30:]), abs=1e-9)


def test_texts_without_a_repeated_word_teach_nothing() -> None:
    with pytest.raises(StanceError, match="no word occurs in two of them"):
        TfidfLearner().lesson(["a", "b"]).model(task_of([0, 1]))
