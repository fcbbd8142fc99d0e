"""The tiny tokenizer keeps its special ids, takes any text, and keeps words of the format whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.bases.tiny_tokenizer import END, PAD, START, train_tokenizer

TEXTS = ['{"action":"create_post","content":"the tram 🌊"}', "Actions: create_post, do_nothing"] * 20
TOKENIZER = train_tokenizer(TEXTS, vocab_size=400)


def test_special_ids_come_first() -> None:
    assert TOKENIZER.convert_tokens_to_ids([PAD, START, END]) == [0, 1, 2]
    assert (TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id) == (0, 1, 2)
    assert len(TOKENIZER) <= 400


def test_action_names_are_single_tokens() -> None:
    assert "create_post" in TOKENIZER.tokenize('"create_post"')


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    assert (
        TOKENIZER.decode(TOKENIZER.encode(text, add_special_tokens=False, split_special_tokens=True)) == text
    )
