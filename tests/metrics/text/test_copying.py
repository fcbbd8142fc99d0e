from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.near_duplicates import copies
from agents.synthetic.community import make_community
from metrics.errors import MetricInputError
from metrics.text.copying import Originals, copied
from metrics.text.words import words
from tests.metrics.text.samples import texts


def _longest_run(text: list[str], originals: list[list[str]]) -> int:
    """By trying every run."""
    runs = {tuple(o[i:j]) for o in originals for i in range(len(o)) for j in range(i + 1, len(o) + 1)}
    return max((j - i for i in range(len(text)) for j in range(i + 1, len(text) + 1) if tuple(text[i:j]) in runs),
               default=0)  # fmt: skip


@given(texts, st.lists(st.sampled_from("abc"), max_size=10).map(" ".join))
def test_longest_run_is_what_trying_every_run_finds(originals: list[str], text: str) -> None:
    found = words(text)
    expected = _longest_run(found, [words(o) for o in originals]) / len(found) if found else float("nan")
    assert Originals(originals).compare(text).run == pytest.approx(expected, nan_ok=True)


@given(texts)
def test_every_original_is_its_own_copy(originals: list[str]) -> None:
    those = Originals(originals)
    for text in originals:
        exact, near, run = those.compare(text.upper() + "!")
        assert exact == near == bool(words(text)) or not words(text)
        assert run == 1 or not words(text)


def test_shares_of_copying() -> None:
    those = Originals(["The council met on Monday evening.", "Coffee first."])
    assert those.compare("the council met on monday evening") == (True, True, 1.0)
    # pairs: 5 of the original, 4 of these and all common: 4/5 ≥ ½
    assert those.compare("the council met on monday") == (False, True, 1.0)
    # 'the council' is the longest run: 2 of 5 words; 1 common pair of 5 + 4 − 1
    assert those.compare("the council likes coffee today") == (False, False, 0.4)
    assert those.compare("nothing alike") == (False, False, 0.0)


def test_what_is_hung_on_hides_no_copy() -> None:
    those = Originals(["The council met on #Monday"])
    assert those.compare("@ann THE COUNCIL met on monday 😀 https://t.co/x").near
    assert not those.compare("@ann 😀 https://t.co/x").near


def test_near_copies_are_those_that_the_split_of_a_corpus_removes() -> None:
    """Two implementations of one rule, on a community whose members share phrases."""
    community = make_community(np.random.default_rng(3), 12, 60).corpus
    posts = [post.text for user in community.users for post in user.posts]
    originals = Originals(posts[::2])
    near = [originals.compare(text).near for text in posts[1::2]]
    expected = copies(posts[1::2], posts[::2])
    assert sum(expected) > 3
    assert sum(a != b for a, b in zip(near, expected, strict=True)) <= 1  # apostrophes are read differently


def test_a_run_does_not_reach_from_one_original_into_the_next() -> None:
    assert Originals(["a b", "c d"]).compare("a b c d").run == 0.5


def test_each_text_meets_its_own_originals() -> None:
    mine, yours = Originals(["my words"]), Originals(["your words"])
    frame = copied(["my words", "my words"], [mine, yours])
    assert frame["exact"].tolist() == [True, False]
    assert frame["run"].tolist() == [1.0, 0.5]
    assert copied([], []).empty
    with pytest.raises(MetricInputError, match="expected one each"):
        copied(["a"], [])


def test_nothing_to_copy_and_nothing_said() -> None:
    assert Originals([]).compare("a b") == (False, False, 0.0)
    exact, near, run = Originals(["a"]).compare("?!")
    assert not exact
    assert not near
    assert np.isnan(run)
