from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from metrics.text.words import Token, normalised, tokens, words


def test_marks_are_told_from_words() -> None:
    assert list(tokens("RT @Ann_1: Don’t! see #Brexit2016 😀👍🏽 https://t.co/x, #1 日本")) == [
        Token("word", "rt"), Token("mention", "@ann_1"), Token("word", "don’t"), Token("word", "see"),
        Token("hashtag", "#brexit2016"), Token("emoji", "😀👍🏽"), Token("link", "https://t.co/x"),
        Token("word", "1"), Token("character", "日"), Token("character", "本"),
    ]  # fmt: skip


def test_case_spacing_and_punctuation_do_not_make_another_text() -> None:
    assert normalised("Hello,  World!") == normalised("hello world") == "hello world"
    assert normalised(" ?! ") == "?!"
    assert normalised("") == ""


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalised(text)
    assert words(once) == words(text)
