from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from metrics.errors import StanceError
from metrics.stance import StanceScorer, fit_stance_scorer

Corpus = tuple[list[str], list[str], list[str]]


def corpus(n_users: int = 16, posts: int = 10, *, marked: float = 0.6, seed: int = 0) -> Corpus:
    """Two sides; each post holds words of its side with probability `marked`, and always the author's own word."""
    rng = np.random.default_rng(seed)
    texts, sides, users = [], [], []
    for user in range(n_users):
        side = ("up", "down")[user % 2]
        for _ in range(posts):
            words = [f"common{rng.integers(40)}" for _ in range(8)] + [f"habit{user}"]
            if rng.random() < marked:
                words += [f"{side}{rng.integers(6)}" for _ in range(2)]
            texts.append(" ".join(rng.permutation(words)))
            sides.append(side)
            users.append(f"user{user}")
    return texts, sides, users


def fit(data: Corpus, positive_side: str = "up", seed: int = 0) -> StanceScorer:
    return fit_stance_scorer(*data, positive_side=positive_side, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def scorer() -> StanceScorer:
    return fit(corpus())


def test_scores_carry_the_sign_of_the_side_and_stay_in_range(scorer: StanceScorer) -> None:
    scores = scorer.score(["up1 up2 common3", "down0 down4 common3"])
    assert scores[0] > 0.5
    assert scores[1] < -0.5
    assert (np.abs(scores) <= 1).all()


def test_what_is_unknown_scores_exactly_zero_and_common_words_about_zero(scorer: StanceScorer) -> None:
    nothing_known = scorer.score(["", "@somebody https://x.org", "ξψζ"])
    assert nothing_known.tolist() == [0.0, 0.0, 0.0]
    assert abs(scorer.score([" ".join(f"common{i}" for i in range(40))])[0]) < 0.2
    assert len(scorer.score([])) == 0


def test_exchanging_the_sides_changes_only_the_sign(scorer: StanceScorer) -> None:
    texts = corpus(seed=5)[0]
    assert np.allclose(fit(corpus(), positive_side="down").score(texts), -scorer.score(texts), atol=1e-6)


def test_the_record_tells_users_apart_by_side_words(scorer: StanceScorer) -> None:
    record = scorer.held_out
    assert (record.n_users, record.n_posts, record.n_folds) == (16, 160, 5)
    assert record.accuracy_user == 1.0
    assert record.accuracy_post > 0.75
    assert record.majority_user == 0.5
    assert record.brier < 0.2


def test_users_are_held_out_whole_so_personal_habits_earn_nothing() -> None:
    """With no side words, only `habitN` tells the users apart: by post that would give 100%, by user chance."""
    record = fit(corpus(n_users=40, marked=0.0)).held_out
    assert 0.2 < record.accuracy_user < 0.8
    assert record.brier >= 0.2  # 0.25 is blind


def test_a_prolific_user_weighs_no_more_than_a_quiet_one() -> None:
    """Thirty copies of all that one user wrote leave the scores of others' texts about where they were."""
    texts, sides, users = corpus()
    own = [text for text, user in zip(texts, users, strict=True) if user == "user0"]
    loud = fit((texts + 30 * own, sides + ["up"] * 30 * len(own), users + ["user0"] * 30 * len(own)))
    quiet, fresh = fit((texts, sides, users)), corpus(seed=7)[0][10:]
    assert np.corrcoef(loud.score(fresh), quiet.score(fresh))[0, 1] > 0.95
    assert abs(np.mean(loud.score(fresh) - quiet.score(fresh))) < 0.1


def test_sides_that_never_mix_do_not_push_neutral_texts_to_an_extreme() -> None:
    scorer = fit(corpus(marked=1.0))
    neutral = [" ".join(f"common{i}" for i in range(j, 40, 4)) for j in range(4)]
    assert scorer.held_out.accuracy_post == 1.0
    assert (np.abs(scorer.score(neutral)) < 0.4).all()
    assert scorer.score(["up1 up2 up3"])[0] > 0.8


def test_the_same_generator_state_gives_the_same_scorer(scorer: StanceScorer) -> None:
    again, texts = fit(corpus()), corpus(seed=3)[0]
    assert np.array_equal(again.score(texts), scorer.score(texts))
    assert again.held_out == scorer.held_out


def test_words_shared_between_users_are_counted() -> None:
    texts, sides, users = corpus(n_users=4, posts=4)
    copied = fit(
        (texts + ["the very same words"] * 4, sides + ["up", "down"] * 2, users + ["user0", "user1"] * 2)
    )
    # 4 of 20 texts; users 0 and 1 may be dealt into one fold, and then nothing is shared
    assert copied.held_out.shared_texts in (0.0, 0.2)
    assert fit((texts, sides, users)).held_out.shared_texts == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, s, u: (t, ["up"] * len(t), u), r"got \['up'\]; a stance lies between exactly two sides"),
        (lambda t, s, u: (t, [*s[:-1], "third"], [*u[:-1], "new"]), "exactly two sides"),
        (lambda t, s, u: ([], [], []), "got none"),
        (lambda t, s, u: (t, s, ["one", *u[1:-1], "one"]), "user 'one' is on both sides"),
        (lambda t, s, u: (t, s, s), "side 'down' has 1 user"),
        (lambda t, s, u: (t, s[1:], u), "expected one of each a post"),
        (lambda t, s, u: ([str(i) * 9 for i in range(len(t))], s, u), None),
    ],
)
def test_corpora_that_cannot_teach_are_refused(change: object, message: str | None) -> None:
    data = change(*corpus(n_users=4, posts=2))  # type: ignore[operator]
    if message is None:
        data = ([chr(0x4E00 + i) for i in range(len(data[0]))], *data[1:])
        message = "no word occurs in two of them"
    with pytest.raises(StanceError, match=message):
        fit(data)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(StanceError, match="positive_side: got 'left'; expected one of down, up"):
        fit(corpus(), positive_side="left")
    with pytest.raises(StanceError, match="folds: got 1"):
        fit_stance_scorer(*corpus(), positive_side="up", rng=np.random.default_rng(0), folds=1)


def test_sides_of_unseen_real_users_are_told_from_their_posts(shared_data: Path) -> None:
    """Every fourth post of 300 accounts: at least 95% of users whom the scorer has not seen."""
    by_user: dict[str, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(shared_data / "tweets" / "timelines.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            by_user[row["user_id"]].append(row)
    rows = [row for timeline in by_user.values() for row in timeline[::4]]
    data = tuple([row[key] for row in rows] for key in ("text", "side", "user_id"))
    record = fit(data, positive_side="right").held_out
    assert record.n_users == 300
    assert record.accuracy_user >= 0.95
    assert min(record.recall_positive, record.recall_negative) >= 0.9
    assert record.ece < 0.06
