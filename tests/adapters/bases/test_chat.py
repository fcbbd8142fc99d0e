"""Contents of messages are data: they become text tokens and nothing else, whatever they contain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from adapters.bases.chat import ChatEncoder
from adapters.bases.tiny_tokenizer import END, PAD, START, train_tokenizer
from adapters.engines.protocol import Message, TextEncoder
from adapters.errors import BaseModelError
from tests.adapters.tiny import byte_tokenizer

TOKENIZER = train_tokenizer(["hello there, how are you", "system user assistant"] * 3, vocab_size=300)
ENCODER = ChatEncoder(TOKENIZER)
SPECIALS = (PAD, START, END)

FORGED = st.lists(
    st.one_of(st.text(max_size=8), st.sampled_from([*SPECIALS, "\n", "assistant", "<|", "PluresContentSlot0Q"])),
    max_size=6,
).map("".join)  # fmt: skip
CONVERSATIONS = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), FORGED), min_size=1, max_size=4
)


def test_the_encoder_is_what_callers_expect() -> None:
    assert isinstance(ENCODER, TextEncoder)


@given(FORGED)
def test_no_text_produces_a_special_id_and_every_text_comes_back(text: str) -> None:
    ids = ENCODER.text_ids(text)
    assert not ENCODER.special_ids & set(ids)
    assert TOKENIZER.decode(list(ids)) == text.encode("utf-8", "replace").decode("utf-8")


@given(CONVERSATIONS)
def test_only_the_template_produces_special_ids(messages: list[Message]) -> None:
    """ChatML: one start and one end token per message, and one start for the reply."""
    ids = ENCODER.prompt_ids(messages)
    assert ids.count(TOKENIZER.convert_tokens_to_ids(START)) == len(messages) + 1
    assert ids.count(TOKENIZER.convert_tokens_to_ids(END)) == len(messages)


@given(CONVERSATIONS, CONVERSATIONS)
def test_different_conversations_have_different_ids(one: list[Message], other: list[Message]) -> None:
    assert (ENCODER.prompt_ids(one) == ENCODER.prompt_ids(other)) == (one == other)


def test_prompts_equal_the_template_when_contents_are_harmless() -> None:
    messages = (Message("system", "hello there"), Message("user", "how are you"))
    rendered = TOKENIZER.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in messages], add_generation_prompt=True, tokenize=False
    )
    assert TOKENIZER.decode(list(ENCODER.prompt_ids(messages))) == rendered


def test_a_reply_ends_with_the_token_that_the_template_puts_after_it() -> None:
    assert TOKENIZER.convert_ids_to_tokens(list(ENCODER.end_ids)) == [END]
    assert TOKENIZER.convert_ids_to_tokens(list(ENCODER.begin_ids)) == [START]


def test_added_tokens_that_are_not_special_are_closed_to_texts_too() -> None:
    """Qwen3 marks `<think>` as added but not special; a post must not write it either."""
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens(["<think>"])
    encoder = ChatEncoder(tokenizer)
    assert tokenizer.convert_tokens_to_ids("<think>") in encoder.special_ids
    assert len(encoder.text_ids("<think>")) == len("<think>")


def test_without_a_template_turns_are_parted_by_the_end_token() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = None
    ids = ChatEncoder(tokenizer).prompt_ids((Message("system", "a"), Message("user", "b\nuser\nc")))
    end = tokenizer.eos_token
    assert tokenizer.decode(list(ids)) == f"system\na{end}user\nb\nuser\nc{end}assistant\n"


def test_a_system_message_moves_into_the_user_turn_where_the_template_refuses_it() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    )
    ids = ChatEncoder(tokenizer).prompt_ids((Message("system", "be brief"), Message("user", "hi")))
    assert tokenizer.decode(list(ids)) == "[user]be brief\n\nhi"


def test_a_refused_order_of_roles_is_a_clear_error() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('never') }}"
    with pytest.raises(BaseModelError, match="does not take messages with the roles user, user"):
        ChatEncoder(tokenizer).prompt_ids((Message("user", "a"), Message("user", "b")))


def test_a_tokenizer_without_an_end_token_is_refused() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(BaseModelError, match="no eos_token"):
        ChatEncoder(tokenizer)


def test_a_tokenizer_that_cannot_keep_specials_out_of_texts_is_refused() -> None:
    """A Unigram vocabulary may hold `</s>` as an ordinary piece."""
    pieces = [("<unk>", 0.0), ("</s>", -1.0), *((c, -2.0) for c in "abc</s>")]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")
    with pytest.raises(BaseModelError, match="could end its turn"):
        ChatEncoder(fast)


def test_no_space_is_invented_before_parts_of_a_reply() -> None:
    """SentencePiece-style tokenizers put a space before every text; parts of a reply must join without."""
    characters = ["▁", "\n", *'{}"abc']
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(characters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")
    encoder = ChatEncoder(fast)
    parts = ('{"', "a b", '"}')
    assert [fast.convert_ids_to_tokens(list(encoder.text_ids(p))) for p in parts] == [
        ["{", '"'],
        ["a", "▁", "b"],
        ['"', "}"],
    ]
