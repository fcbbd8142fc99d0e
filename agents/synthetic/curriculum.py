"""What the tiny base learns from a community: bare posts, posts as turns, and logged decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from adapters.engines.protocol import Message, TextEncoder
from agents.corpus import User
from agents.decision import Action, affordances
from agents.personas import DEFAULT_PERSONA, persona_line
from agents.prompts import decision_prompt
from agents.rendering import render_post
from agents.reply import reply_parts
from agents.synthetic.choices import Interaction
from agents.synthetic.community import Community

PERSONAS = (DEFAULT_PERSONA, DEFAULT_PERSONA, DEFAULT_PERSONA, "You are {side}.", "{profile}", "")
"""Personas in the training prompts: mostly the default, so that side and profile can be left out later."""

TURN_SHARE = 0.12
"""Share of posts that are also learned as the words of a `create_post` reply to an empty feed."""

CHOICE_WEIGHT = 2.0
"""Loss weight of action and target against words: few tokens carry the choice."""


NUMBERED_SHARE = 0.3
"""Share of interactions whose handles become numbers such as `u0042`, as real corpora have them."""


class LearnedSpan(NamedTuple):
    """Positions `start` to `stop` (excluded) carry the loss with `weight`."""

    start: int
    stop: int
    weight: float


class LearnedRow(NamedTuple):
    """Token ids and what is learned of them."""

    tokens: tuple[int, ...]
    spans: tuple[LearnedSpan, ...]


def interaction_prompt(
    interaction: Interaction, user: User, persona: str = DEFAULT_PERSONA
) -> tuple[Message, ...]:
    """The decision prompt under which `user`'s logged decision was taken."""
    open_to = affordances(interaction.feed, interaction.allowed)
    return decision_prompt(interaction.reader, persona_line(user, persona), interaction.feed, open_to)


def interaction_reply(interaction: Interaction) -> str:
    """The logged decision as the reply to that prompt."""
    return reply_parts(interaction.decision, interaction.feed).text


def tokenizer_texts(rng: np.random.Generator, community: Community, share: float = 0.3) -> Iterator[str]:
    """Text for training a tokenizer: posts, and prompts with replies whose handles became numbers.

    Names of the training people would otherwise take up ids that nobody else's name can use.

    Args:
        rng: source of chance.
        community: what the base will be trained on.
        share: of users and interactions that are used, in (0, 1].
    """
    by_id = {u.user_id: u for u in community.corpus}
    for user in community.corpus.users[: int(share * len(by_id)) + 1]:
        yield from (post.text for post in user.posts)
    for interaction in community.interactions[: int(share * len(community.interactions)) + 1]:
        shown = _renamed(rng, interaction)
        for message in interaction_prompt(shown, by_id[interaction.reader]):
            yield f"{message.role}\n{message.content}"
        yield f"assistant\n{interaction_reply(shown)}"


def training_rows(
    rng: np.random.Generator, community: Community, encoder: TextEncoder
) -> Iterator[LearnedRow]:
    """Every post bare, some as turns, and every interaction, in no particular order."""
    by_id = {u.user_id: u for u in community.corpus}
    for user in community.corpus:
        for post in user.posts:
            yield _post_row(post.text, user, "", "raw", encoder)
            if rng.random() < TURN_SHARE:
                yield _post_row(post.text, user, _persona(rng), "words", encoder)
    for interaction in community.interactions:
        user = by_id[interaction.reader]
        shown = _renamed(rng, interaction) if rng.random() < NUMBERED_SHARE else interaction
        yield decision_row(shown, user, _persona(rng), encoder)


def held_out_rows(community: Community, encoder: TextEncoder) -> Mapping[str, list[LearnedRow]]:
    """Rows of people whom training does not know, by what they measure.

    `posts`: bare posts; `turns`: posts as words of a reply; `choices`: action and target of decisions;
    `answers`: the words of comments and quotes, with the feed in view.
    """
    by_id = {u.user_id: u for u in community.corpus}
    decisions = [decision_row(i, by_id[i.reader], DEFAULT_PERSONA, encoder) for i in community.interactions]
    answers = [
        row
        for row, i in zip(decisions, community.interactions, strict=True)
        if i.decision.action in (Action.CREATE_COMMENT, Action.QUOTE_POST)
    ]
    posts = [(p.text, u) for u in community.corpus for p in u.posts]
    return {
        "posts": [_post_row(text, user, "", "raw", encoder) for text, user in posts],
        "turns": [_post_row(text, user, DEFAULT_PERSONA, "words", encoder) for text, user in posts],
        "choices": [LearnedRow(r.tokens, r.spans[:1]) for r in decisions],
        "answers": [LearnedRow(r.tokens, r.spans[1:]) for r in answers],
    }


def decision_row(interaction: Interaction, user: User, persona: str, encoder: TextEncoder) -> LearnedRow:
    """Prompt and reply; the first span is action and target, the second (if any) the words.

    The parts of the reply are encoded one by one, as `agents.rendering` does.
    """
    parts = reply_parts(interaction.decision, interaction.feed)
    prompt = encoder.prompt_ids(interaction_prompt(interaction, user, persona))
    head = encoder.text_ids(parts.head)
    words = (*encoder.text_ids(parts.content), *encoder.text_ids(parts.tail), *encoder.end_ids)
    start, middle = len(prompt), len(prompt) + len(head)
    tokens = (*prompt, *head, *words)
    if interaction.decision.content is None:
        return LearnedRow(tokens, (LearnedSpan(start, len(tokens), CHOICE_WEIGHT),))
    spans = (LearnedSpan(start, middle, CHOICE_WEIGHT), LearnedSpan(middle, len(tokens), 1.0))
    return LearnedRow(tokens, spans)


def _renamed(rng: np.random.Generator, interaction: Interaction) -> Interaction:
    """The same interaction among numbered handles."""
    form = ("u{:04d}", "user_{}", "agent{}")[int(rng.integers(3))]
    handles = dict.fromkeys((interaction.reader, *(e.handle for e in interaction.feed)))
    numbers = rng.choice(10_000, size=len(handles), replace=False)
    new = {h: form.format(int(n)) for h, n in zip(handles, numbers, strict=True)}
    feed = tuple(replace(e, handle=new[e.handle]) for e in interaction.feed)
    return replace(interaction, reader=new[interaction.reader], feed=feed)


def _persona(rng: np.random.Generator) -> str:
    return PERSONAS[int(rng.integers(len(PERSONAS)))]


def _post_row(text: str, user: User, persona: str, rendering: str, encoder: TextEncoder) -> LearnedRow:
    assert rendering in ("raw", "words")
    line = persona_line(user, persona)
    tokens, learn_from = render_post(
        text,
        handle=user.user_id,
        persona=line,
        rendering="raw" if rendering == "raw" else "words",
        encoder=encoder,
    )
    return LearnedRow(tokens, (LearnedSpan(max(1, learn_from), len(tokens), 1.0),))
