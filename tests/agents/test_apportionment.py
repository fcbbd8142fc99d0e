import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.apportionment import seats
from agents.errors import PopulationError

available = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 50), min_size=1)


def test_balanced_gives_the_odd_one_to_the_side_with_more_users() -> None:
    assert seats(7, {"left": 10, "right": 20}, "balanced") == {"left": 3, "right": 4}


def test_corpus_keeps_the_shares_of_the_corpus() -> None:
    # 10 · 88/300 = 2.93, 10 · 212/300 = 7.07; the larger remainder takes the tenth
    assert seats(10, {"left": 88, "right": 212}, "corpus") == {"left": 3, "right": 7}


def test_weights_are_shares_whatever_their_sum() -> None:
    assert seats(8, {"left": 9, "right": 9, "mid": 9}, {"left": 3, "right": 1}) == {
        "left": 6,
        "right": 2,
        "mid": 0,
    }


def test_too_few_users_of_a_side_are_named_with_what_would_work() -> None:
    with pytest.raises(PopulationError, match=r"128, which takes 64 users of side 'left'.*53 .*at most 107"):
        # 107 = 53 left + 54 right
        seats(128, {"left": 53, "right": 200}, "balanced")


@pytest.mark.parametrize(
    ("side_shares", "said"),
    [
        ("fair", "expected balanced, corpus"),
        ({"up": 1.0}, "no side 'up'; it has left, right"),
        ({"left": -1.0, "right": 2.0}, "weights of at least 0"),
        ({"left": 0.0}, "not all 0"),
        ({"left": float("nan")}, "weights of at least 0"),
        ({"left": float("inf")}, "weights of at least 0"),
    ],
)
def test_shares_that_cannot_be_are_refused(side_shares: object, said: str) -> None:
    with pytest.raises(PopulationError, match=said):
        seats(2, {"left": 5, "right": 5}, side_shares)  # type: ignore[arg-type]


@given(available.filter(lambda a: sum(a.values()) > 0), st.data())
def test_corpus_shares_work_up_to_the_whole_corpus(sides: dict[str, int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, sum(sides.values())))
    given_seats = seats(size, sides, "corpus")
    assert sum(given_seats.values()) == size
    for side, count in given_seats.items():
        assert abs(count - size * sides[side] / sum(sides.values())) < 1
        assert count <= sides[side]


@given(available, st.integers(1, 60))
def test_the_size_named_in_the_error_works_and_one_more_does_not(sides: dict[str, int], size: int) -> None:
    try:
        seats(size, sides, "balanced")
    except PopulationError as error:
        most = int(str(error).split("at most ")[1].split(",")[0])
        assert most < size
        if most:
            seats(most, sides, "balanced")
        with pytest.raises(PopulationError):
            seats(most + 1, sides, "balanced")
