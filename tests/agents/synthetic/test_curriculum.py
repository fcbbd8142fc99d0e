"""Training rows are encoded as prompts and replies are at run time, and learn what they say they learn."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.bases.chat import ChatEncoder
from adapters.bases.tiny_tokenizer import train_tokenizer
from agents.decision import WRITES_CONTENT
from agents.personas import DEFAULT_PERSONA, persona_line
from agents.rendering import render_post
from agents.reply import reply_parts
from agents.synthetic.community import Community
from agents.synthetic.curriculum import (
    decision_row,
    held_out_rows,
    interaction_prompt,
    interaction_reply,
    tokenizer_texts,
    training_rows,
)


@pytest.fixture(scope="module")
def encoder(community: Community) -> ChatEncoder:
    texts = tokenizer_texts(np.random.default_rng(0), community, share=0.2)
    return ChatEncoder(train_tokenizer(texts, vocab_size=1024))


def test_decisions_are_encoded_part_by_part(community: Community, encoder: ChatEncoder) -> None:
    by_id = {u.user_id: u for u in community.corpus}
    for interaction in community.interactions[:200]:
        user = by_id[interaction.reader]
        row = decision_row(interaction, user, DEFAULT_PERSONA, encoder)
        prompt = encoder.prompt_ids(interaction_prompt(interaction, user))
        reply = [
            i for part in reply_parts(interaction.decision, interaction.feed) for i in encoder.text_ids(part)
        ]
        assert row.tokens == (*prompt, *reply, *encoder.end_ids)
        assert row.spans[0].start == len(prompt)
        assert row.spans[-1].stop == len(row.tokens)
        assert len(row.spans) == 1 + (interaction.decision.action in WRITES_CONTENT)


def test_the_action_is_learned_apart_from_the_words(community: Community, encoder: ChatEncoder) -> None:
    interaction = next(i for i in community.interactions if i.decision.content is not None)
    user = next(u for u in community.corpus if u.user_id == interaction.reader)
    row = decision_row(interaction, user, "", encoder)
    head, words = ("".join(encoder_text(encoder, row.tokens[s.start : s.stop])) for s in row.spans)
    assert head + words == interaction_reply(interaction)
    assert head.endswith('"content":"')


def encoder_text(encoder: ChatEncoder, ids: tuple[int, ...]) -> str:
    return str(encoder._tokenizer.decode(list(ids), skip_special_tokens=True))


def test_every_post_and_every_interaction_is_learned_from(community: Community, encoder: ChatEncoder) -> None:
    rows = list(training_rows(np.random.default_rng(1), community, encoder))
    posts = sum(len(u.posts) for u in community.corpus)
    assert len(rows) >= posts + len(community.interactions)
    assert all(1 <= s.start < s.stop <= len(r.tokens) for r in rows for s in r.spans)
    user = community.corpus.users[0]
    raw = render_post(user.posts[0].text, handle=user.user_id, persona="", rendering="raw", encoder=encoder)
    assert rows[0].tokens == raw.tokens


def test_held_out_turns_are_what_adapters_are_trained_on(community: Community, encoder: ChatEncoder) -> None:
    """The `words` rendering with the default persona."""
    user = community.corpus.users[0]
    expected = render_post(
        user.posts[0].text,
        handle=user.user_id,
        persona=persona_line(user),
        rendering="words",
        encoder=encoder,
    )
    turns = held_out_rows(community, encoder)["turns"]
    assert turns[0].tokens == expected.tokens
    assert turns[0].spans[0][:2] == (expected.learn_from, len(expected.tokens))


def test_held_out_rows_measure_one_thing_each(community: Community, encoder: ChatEncoder) -> None:
    rows = held_out_rows(community, encoder)
    assert set(rows) == {"posts", "turns", "choices", "answers"}
    assert len(rows["choices"]) == len(community.interactions)
    assert all(len(r.spans) == 1 for rs in rows.values() for r in rs)


def test_no_name_of_a_training_person_reaches_the_tokenizer(community: Community) -> None:
    seen = "\n".join(tokenizer_texts(np.random.default_rng(0), community, share=1.0))
    assert not [u.user_id for u in community.corpus if f"@{u.user_id}" in seen.replace("[2] @", "")]
