from __future__ import annotations

from metrics.content import CONTENT_COLUMNS, content_frame
from tests.metrics.frames import comments, posts


def test_everything_said_is_one_row_with_its_own_words() -> None:
    frame = content_frame(
        posts([(1, 0, None, "first", None, 0), (2, 1, 1, "", None, 1), (3, 2, 1, "first", "my view", 2)]),
        comments([(1, 3, 0, "no", 3)]),
    )
    assert list(frame.columns) == CONTENT_COLUMNS
    assert frame.to_numpy().tolist() == [
        [0, 0, "post", "first", 1],
        [1, 1, "repost", "first", 1],
        [2, 2, "quote", "my view", 3],
        [0, 3, "comment", "no", 3],
    ]


def test_what_has_no_text_says_nothing() -> None:
    frame = content_frame(posts([(1, 0, None, " ", None, 0)]), comments([(1, 1, 0, None, 1)]))
    assert frame.empty


def test_nothing_said_gives_an_empty_table() -> None:
    assert list(content_frame(posts([]), comments()).columns) == CONTENT_COLUMNS
