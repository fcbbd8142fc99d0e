from __future__ import annotations

import pytest

from metrics.errors import MetricInputError
from metrics.posts import own_words, post_kinds, root_ids
from tests.metrics.frames import posts

TABLE = posts(
    [
        (1, 0, None, "first", None, 0),
        (2, 1, 1, "", None, 1),  # repost of 1
        (3, 2, 1, "first", "my view", 1),  # quote of 1
        (4, 0, 3, "", None, 2),  # repost of the quote
        (5, 1, 2, "", None, 2),  # repost of a repost
    ]
)


def test_a_row_is_a_post_a_repost_or_a_quote() -> None:
    assert post_kinds(TABLE).tolist() == ["post", "repost", "quote", "repost", "repost"]


def test_words_and_likes_of_a_repost_belong_to_the_end_of_its_chain() -> None:
    assert root_ids(TABLE).to_dict() == {1: 1, 2: 1, 3: 3, 4: 3, 5: 1}


def test_a_quote_speaks_with_its_own_words_and_a_repost_with_those_it_shares() -> None:
    assert own_words(TABLE).to_dict() == {1: "first", 2: "first", 3: "my view", 4: "my view", 5: "first"}


def test_missing_text_is_empty() -> None:
    assert own_words(posts([(1, 0, None, None, None, 0)])).tolist() == [""]


def test_no_posts_give_empty_series() -> None:
    assert root_ids(posts([])).empty
    assert own_words(posts([])).empty


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 0, None, "a", None, 0), (1, 0, None, "b", None, 0)], "1 occurs more than once"),
        ([(2, 0, 1, "", None, 0)], "2 reposts 1, which is not in the table"),
        ([(1, 0, 2, "", None, 0), (2, 0, 1, "", None, 0)], "circle"),
    ],
)
def test_tables_that_cannot_be_are_refused(rows: list[tuple[object, ...]], message: str) -> None:
    with pytest.raises(MetricInputError, match=message):
        root_ids(posts(rows))
