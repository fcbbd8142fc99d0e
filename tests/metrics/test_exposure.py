from __future__ import annotations

import numpy as np
import pytest

from metrics.errors import MetricInputError
from metrics.exposure import cross_side_exposure
from tests.metrics.frames import exposures, posts, sides

POSTS = posts(
    [
        (1, 0, None, "a", None, 0),
        (2, 1, None, "b", None, 0),
        (3, 2, None, "c", None, 0),
        (4, 1, 1, "", None, 1),  # user 1 reposts user 0
    ]
)
SIDES = sides("up", "up", "down", None)


def test_every_showing_counts_once_with_the_author_of_the_words() -> None:
    shown = exposures(
        [
            (1, 0, 2),  # own side
            (1, 0, 3),  # other side
            (2, 0, 3),  # the same again
            (1, 2, 4),  # user 0's words, reposted: other side
        ]
    )
    assert cross_side_exposure(shown, POSTS, SIDES) == pytest.approx(3 / 4)


def test_own_words_and_unknown_sides_are_left_out() -> None:
    shown = exposures([(1, 0, 1), (1, 0, 4), (1, 3, 1), (1, 0, 2)])
    assert cross_side_exposure(shown, POSTS, SIDES) == 0.0


def test_nothing_shown_has_no_value() -> None:
    assert np.isnan(cross_side_exposure(exposures(), POSTS, SIDES))
    assert np.isnan(cross_side_exposure(exposures([(1, 0, 1)]), POSTS, SIDES))


def test_an_unknown_post_is_refused() -> None:
    with pytest.raises(MetricInputError, match=r"exposures\.post_id: 9"):
        cross_side_exposure(exposures([(1, 0, 9)]), POSTS, SIDES)
