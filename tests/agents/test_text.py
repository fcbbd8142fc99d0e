import json
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from agents.text import clean_text, quote
from tests.agents.strategies import texts


@given(texts | st.text(st.characters()))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(texts)
def test_a_clean_text_is_one_line_of_single_spaces(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned.splitlines()) <= 1
    assert cleaned == " ".join(cleaned.split())


@given(st.text(st.characters()))
def test_no_control_character_surrogate_or_bidi_override_survives(text: str) -> None:
    cleaned = clean_text(text)
    assert not {unicodedata.category(c) for c in cleaned} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_every_character_alone_is_kept_or_dropped_whole() -> None:
    """No character turns into another one; a third of Unicode stands for all of it."""
    assert all(clean_text(c) in {c, ""} for c in map(chr, range(0, sys.maxunicode + 1, 3)))


def test_emoji_sequences_survive() -> None:
    astronaut = "👩\u200d🚀 ❤\ufe0f"
    assert clean_text(astronaut) == astronaut


def test_white_space_of_every_kind_folds() -> None:
    assert clean_text("\ta\u00a0\u2003b\r\n\u2028c\x85") == "a b c"


def test_dropping_a_character_between_spaces_leaves_one_space() -> None:
    assert clean_text("a \x00 b \u202e") == "a b"


@given(texts)
def test_a_quoted_text_reads_back_and_stays_on_its_line(text: str) -> None:
    quoted = quote(text)
    assert json.loads(quoted) == clean_text(text)
    assert len(quoted.splitlines()) == 1


@given(texts)
def test_only_the_closing_quotation_mark_is_bare(text: str) -> None:
    body = quote(text)[1:-1]
    assert '"' not in body.replace("\\\\", "").replace('\\"', "")
