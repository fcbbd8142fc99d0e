from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import StanceError
from metrics.stance import LabelledScorer, evaluate, fit_labelled
from metrics.stance.judged import JudgedLearner
from metrics.stance.labelled import calibrate, choose
from metrics.stance.learner import log_probabilities
from metrics.stance.lexicon import LexiconLearner

LABELS = ("AGAINST", "FAVOR", "NONE")


def labelled(n: int = 240, *, marked: float = 0.7, seed: int = 0) -> tuple[list[str], list[str]]:
    """Half AGAINST, three tenths NONE, two tenths FAVOR; a text holds a word of its label with chance `marked`."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(n):
        label = LABELS[rng.choice(3, p=[0.5, 0.2, 0.3])]
        words = [f"common{rng.integers(30)}" for _ in range(6)]
        if rng.random() < marked:
            words.append(f"{label.lower()}{rng.integers(4)}")
        texts.append(" ".join(rng.permutation(words)))
        labels.append(label)
    return texts, labels


@pytest.fixture(scope="module")
def scorer() -> LabelledScorer:
    return fit_labelled(*labelled(), rng=np.random.default_rng(0))


def test_labels_are_learnt_and_their_record_is_held_out(scorer: LabelledScorer) -> None:
    assert scorer.labels == LABELS
    assert scorer.predict(["against0", "favor1", "none2"]) == list(LABELS)
    assert (scorer.held_out.n_texts, scorer.held_out.n_folds) == (240, 5)
    fresh = evaluate(scorer, *labelled(seed=9))
    assert fresh.macro_f1 == pytest.approx(scorer.held_out.macro_f1, abs=0.12)
    assert fresh.n_folds == 0
    assert scorer.held_out.macro_f1 > 0.6
    assert scorer.held_out.ece < 0.12


def test_probabilities_sum_to_one_and_know_the_mix_of_labels(scorer: LabelledScorer) -> None:
    texts = labelled(seed=4)[0]
    probabilities = scorer.probabilities(texts)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(texts)))
    assert probabilities.mean(axis=0) == pytest.approx(scorer.shares, abs=0.08)
    assert scorer.probabilities([]).shape == (0, 3)


def test_stance_lies_between_two_labels_and_neither_gives_none(scorer: LabelledScorer) -> None:
    stance = scorer.between("FAVOR", "AGAINST")
    up, down, none = stance.score(["favor0 favor1", "against0 against1", "none0 none1"])
    assert up > 0.5
    assert down < -0.5
    assert abs(none) < 0.3
    assert (stance.positive_side, stance.negative_side) == ("FAVOR", "AGAINST")
    opposite = scorer.between("AGAINST", "FAVOR").score(["favor0 common1"])
    assert opposite == pytest.approx(-stance.score(["favor0 common1"]))


def test_copies_of_a_text_are_held_out_together() -> None:
    """Every text is unique but for its copy, whose label is the same: by text, nothing can be known of it."""
    rng = np.random.default_rng(0)
    words = [" ".join(f"w{rng.integers(10**6)}" for _ in range(5)) for _ in range(60)]
    labels = [LABELS[rng.integers(3)] for _ in range(60)]
    record = fit_labelled(words * 2, labels * 2, rng=rng).held_out
    assert record.shared_texts == 0.0
    assert record.accuracy < 0.6


def test_authors_are_held_out_together() -> None:
    texts, labels = labelled(marked=0.0)
    who = [LABELS.index(label) + 3 * (i % 4) for i, label in enumerate(labels)]
    habit = [f"{text} {3 * 'bcdfghjklmnp'[k]}" for text, k in zip(texts, who, strict=True)]
    authors = [str(k) for k in who]
    known = fit_labelled(habit, labels, rng=np.random.default_rng(0)).held_out
    unknown = fit_labelled(habit, labels, rng=np.random.default_rng(0), authors=authors, folds=4).held_out
    assert known.accuracy > 0.9 > 0.75 > unknown.accuracy


def test_two_labels_and_every_learner_work_alike() -> None:
    texts, labels = labelled()
    kept = [(t, x) for t, x in zip(texts, labels, strict=True) if x != "NONE"]
    two = fit_labelled(
        [t for t, _ in kept], [x for _, x in kept], rng=np.random.default_rng(0), learner=LexiconLearner()
    )
    assert two.labels == ("AGAINST", "FAVOR")
    assert two.kind == "lexicon"
    assert two.predict(["against1", "favor1"]) == ["AGAINST", "FAVOR"]


def test_calibration_undoes_a_known_distortion() -> None:
    """Margins = (true log-probability − bias)/slope: the fit finds slope and bias again."""
    rng = np.random.default_rng(0)
    truth = log_probabilities(rng.normal(0, 1.5, (20_000, 3)))
    classes = np.array([rng.choice(3, p=np.exp(row)) for row in truth])
    found = calibrate((truth - np.array([0.0, 0.7, -0.4])) / 2.5, classes, 3)
    assert found.slope == pytest.approx(2.5, rel=0.05)
    assert found.bias == pytest.approx([0.0, 0.7, -0.4], abs=0.1)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=1, max_size=6), st.floats(-5, 5)
)
def test_adding_a_constant_to_all_margins_of_a_text_changes_nothing(
    rows: list[list[float]], c: float
) -> None:
    margins = np.array(rows)
    assert np.allclose(log_probabilities(margins), log_probabilities(margins + c))


def test_the_choice_does_not_follow_the_mix() -> None:
    """p = (0.5, 0.3, 0.2) with shares (0.7, 0.2, 0.1): ratios 0.71, 1.5, 2."""
    assert choose(np.array([[0.5, 0.3, 0.2]]), np.array([0.7, 0.2, 0.1])).tolist() == [2]


def test_a_judge_is_calibrated_but_not_taught() -> None:
    texts, labels = labelled(marked=1.0)

    def judge(asked: object) -> np.ndarray:
        return np.array([[3.0 * (label.lower() in text) for label in LABELS] for text in asked])  # type: ignore[attr-defined]

    scorer = fit_labelled(texts, labels, rng=np.random.default_rng(0), learner=JudgedLearner(judge, "oracle"))
    assert scorer.held_out.accuracy == 1.0
    assert scorer.calibration.slope > 1.5
    assert scorer.model.margins(["favor0"]).tolist() == [[0.0, 3.0, 0.0]]


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a"], ["x", "y"], "1 texts, 2 labels"),
        (["a", "b"], ["x", "x"], "got x; expected at least two"),
        ([], [], "got none"),
        (["a b", "a b", "a c"], ["x", "x", "y"], "single author"),
    ],
)
def test_what_cannot_teach_is_refused(texts: list[str], labels: list[str], message: str) -> None:
    with pytest.raises(StanceError, match=message):
        fit_labelled(texts, labels, rng=np.random.default_rng(0))


def test_wrong_labels_are_refused(scorer: LabelledScorer) -> None:
    with pytest.raises(StanceError, match="label 'PRO': expected one of AGAINST, FAVOR, NONE"):
        scorer.between("PRO", "AGAINST")
    with pytest.raises(StanceError, match="both ends"):
        scorer.between("FAVOR", "FAVOR")
    with pytest.raises(StanceError, match="'PRO' is not among those learnt"):
        evaluate(scorer, ["a"], ["PRO"])
    with pytest.raises(StanceError, match="0 texts, 0 labels"):
        evaluate(scorer, [], [])


def test_words_that_a_test_shares_with_training_are_counted(scorer: LabelledScorer) -> None:
    texts, labels = labelled()
    record = evaluate(scorer, [texts[0], "something new"], [labels[0], "NONE"], training_texts=texts)
    assert record.shared_texts == 0.5


@pytest.mark.parametrize(("target", "peer"), [("stance_russia", 0.50), ("stance_ukraine", 0.53)])
def test_stance_towards_russia_and_ukraine_beats_plain_logistic_regression(
    shared_data: Path, target: str, peer: float
) -> None:
    """`peer` is the macro-F1 on the same validation tweets of unweighted TF-IDF and logistic regression."""
    (train, labels), (val, truth) = (
        _ruw(shared_data / "stance" / f"ruw_{part}.csv", target) for part in ("train", "val")
    )
    record = evaluate(
        fit_labelled(train, labels, rng=np.random.default_rng(0)), val, truth, training_texts=train
    )
    assert record.n_texts == 600
    assert record.macro_f1 > peer
    assert record.ece < 0.08


def _ruw(path: Path, target: str) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row[target] for row in rows]
