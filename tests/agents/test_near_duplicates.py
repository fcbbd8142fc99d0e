import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.near_duplicates import copies, shingles
from tests.agents.strategies import texts

ORIGINAL = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        (ORIGINAL, True),
        ("One two, THREE four five six seven eight nine ten! https://t.co/x @ana", True),
        ("one two three four FIVE six seven eight nine ten eleven twelve", True),
        # 9 pairs each, 7 shared: 7/11 = 0.64
        ("one two three four X six seven eight nine ten", True),
        # two words apart changed, 5 shared: 5/13 = 0.38
        ("one two X four five six Y eight nine ten", False),
        ("ten nine eight seven six five four three two one", False),
        ("one two", False),
        ("", False),
        ("🙂", False),
    ],
)
def test_copies_are_told_from_other_texts(text: str, copied: bool) -> None:
    assert copies([text], ["something else entirely", ORIGINAL]) == [copied]


def test_texts_without_words_are_copies_when_equal() -> None:
    assert copies(["🙂🙂", "🙂", "https://t.co/x"], ["🙂 🙂", "🙂", "https://t.co/y"]) == [False, True, False]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    assert copies(
        ["今日は天気がとてもいいですね", "明日の会議は中止です"], ["今日は天気がとてもいいです"]
    ) == [True, False]


def test_nothing_resembles_nothing() -> None:
    assert copies(["a"], []) == [False]
    assert copies([], ["a"]) == []


@given(texts)
def test_every_text_copies_itself(text: str) -> None:
    assert shingles(text)
    assert copies([text], [text]) == [True]


@given(
    st.lists(st.text(alphabet="abc ", max_size=20), max_size=4),
    st.lists(st.text(alphabet="abc ", max_size=20), max_size=4),
)
def test_the_index_finds_what_comparing_all_pairs_finds(some: list[str], others: list[str]) -> None:
    expected = [
        any(len(shingles(a) & shingles(b)) >= 0.5 * len(shingles(a) | shingles(b)) for b in others)
        for a in some
    ]
    assert copies(some, others) == expected
