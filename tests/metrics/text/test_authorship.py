from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.errors import MetricInputError
from metrics.text.authorship import CREDITS, chance, fit_author_classifier, identified, user_credits
from tests.real_data import real_file


def _people(n: int, posts: int, rng: np.random.Generator, personal: float) -> tuple[list[str], list[str]]:
    """Everybody draws words from a common list, and with chance `personal` from an own one."""
    texts, authors = [], []
    for who in range(n):
        for _ in range(posts):
            own = rng.random(8) < personal
            chosen = [
                f"own{who}x{k}" if o else f"all{k}" for o, k in zip(own, rng.integers(0, 30, 8), strict=True)
            ]
            texts.append(" ".join(chosen))
            authors.append(f"u{who:02}")
    return texts, authors


def test_own_words_reveal_the_author_and_common_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    for personal, low, high in ((0.5, 0.9, 1.0), (0.0, 0.0, 0.25)):
        classifier = fit_author_classifier(*_people(10, 20, rng, personal), rng=rng)
        texts, authors = _people(10, 20, rng, personal)
        found = user_credits(classifier.scores(texts), authors).mean()
        assert low <= found["top1_post"] <= high
        assert found["top5_post"] >= found["top1_post"]


def test_credits_count_posts_and_tails() -> None:
    scores = pd.DataFrame(
        # a's texts: first, then second place; mean (1.5, 2.0, 0): second. b's text: first.
        [[3.0, 1.0, 0.0], [0.0, 3.0, 0.0], [0.0, 1.0, 0.5]],
        columns=["a", "b", "c"],
    )
    found = user_credits(scores, ["a", "a", "b"])
    assert found.index.tolist() == ["a", "b"]
    assert found["top1_post"].tolist() == [0.5, 1.0]
    assert found["top1_tail"].tolist() == [0.0, 1.0]
    assert found["top5_post"].tolist() == found["top5_tail"].tolist() == [1.0, 1.0]  # three candidates
    assert found["texts"].tolist() == [2, 1]


def test_a_tie_shares_the_credit() -> None:
    scores = pd.DataFrame(np.zeros((1, 8)), columns=list("abcdefgh"))
    found = user_credits(scores, ["c"])
    assert found[list(CREDITS)].iloc[0].tolist() == [1 / 8, 5 / 8, 1 / 8, 5 / 8]


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 9), st.integers(0, 1000))
def test_texts_that_tell_nothing_reach_chance_however_unevenly_people_write(n: int, seed: int) -> None:
    """Where scores do not depend on the author, the mean over authors is k/n exactly."""
    rng = np.random.default_rng(seed)
    row = rng.normal(size=n)
    author = np.repeat(np.arange(n), rng.integers(1, 5, n))
    found = user_credits(pd.DataFrame([row] * len(author)), author).mean()
    assert found["top1_post"] == found["top1_tail"] == pytest.approx(chance(n, 1))
    assert found["top5_post"] == found["top5_tail"] == pytest.approx(chance(n, 5))


def test_names_of_authors_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    texts, authors = _people(6, 10, rng, 0.2)
    renamed = [f"z{9 - int(a[1:])}" for a in authors]
    parts = [
        user_credits(fit_author_classifier(texts, names, rng=np.random.default_rng(0)).scores(texts), names)
        for names in (authors, renamed)
    ]
    assert parts[0]["top1_post"].mean() == pytest.approx(parts[1]["top1_post"].mean(), abs=0.05)


def test_two_authors_share_a_border_and_one_has_nobody_to_be_told_from() -> None:
    rng = np.random.default_rng(2)
    two = fit_author_classifier(["aa aa", "bb bb"], ["x", "y"], rng=rng).scores(["aa", "bb"])
    assert two["x"].to_numpy() == pytest.approx(-two["y"].to_numpy())
    assert user_credits(two, ["x", "y"])["top1_post"].tolist() == [1.0, 1.0]
    one = fit_author_classifier(["aa aa"], ["x"], rng=rng).scores(["aa"])
    assert np.isnan(user_credits(one, ["x"])["top1_post"]).all()


def test_no_texts_identify_nobody() -> None:
    rng = np.random.default_rng(3)
    empty = fit_author_classifier(["aa", "bb"], ["x", "y"], rng=rng).scores([])
    found = user_credits(empty, [])
    assert found.empty
    assert np.isnan(identified(found["top1_post"], rng=rng)).all()


def test_intervals_are_over_users() -> None:
    rng = np.random.default_rng(4)
    found = identified(pd.Series([1.0, 0.0, 1.0, np.nan]), rng=rng)
    assert found.value == pytest.approx(2 / 3)
    assert found.low < found.value < found.high
    assert np.isnan(identified(pd.Series([1.0]), rng=rng).low)


def test_wrong_input_is_refused() -> None:
    rng = np.random.default_rng(5)
    with pytest.raises(MetricInputError, match="expected one author a text"):
        fit_author_classifier(["a"], [], rng=rng)
    with pytest.raises(MetricInputError, match="columns of scores"):
        user_credits(pd.DataFrame([[0.0, 1.0]], columns=["a", "b"]), ["stranger"])


def test_real_held_out_posts_reveal_their_authors_far_above_chance() -> None:
    """32 accounts, 80 posts to learn from, 20 later ones to tell: chance is 3% and 16%."""
    with gzip.open(real_file("tweets/timelines.jsonl.gz"), "rt", encoding="utf-8") as lines:
        posts = pd.DataFrame(map(json.loads, lines))
    users = posts["user_id"].drop_duplicates().sort_values().iloc[:32]
    posts = posts[posts["user_id"].isin(users)].sort_values(["user_id", "time"], kind="stable")
    place = posts.groupby("user_id").cumcount()
    train, test = posts[place < 80], posts[(place >= 80) & (place < 100)]
    classifier = fit_author_classifier(
        train["text"].tolist(), train["user_id"].tolist(), rng=np.random.default_rng(0)
    )
    found = user_credits(classifier.scores(test["text"].tolist()), test["user_id"].tolist()).mean()
    assert found["top1_post"] > 0.25
    assert found["top5_post"] > 0.5
    assert found["top1_tail"] > found["top1_post"]
