"""Every style habit shows in the text, and no text outgrows its limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.synthetic.dressing import dress
from agents.synthetic.habits import Habits, draw_habits

PLAIN = replace(
    draw_habits(np.random.default_rng(0)),
    casing="sentence", end_mark=".", join=", ", openers=("well",), opener_share=0.0, closers=("lol",),
    closer_share=0.0, good=("lovely",), emoji=("🌊",), emoji_share=0.0, emoji_repeat=2, tags=("sea air",),
    tag_share=0.0, tag_camel=True, stretch_share=0.0, shout_share=0.0, spellings=(),
)  # fmt: skip


def dressed(habits: Habits, *clauses: str, question: bool = False, limit: int = 140) -> str:
    return dress(np.random.default_rng(0), clauses, habits, question=question, limit=limit)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "A lovely day."),
        ({"casing": "lower"}, "a lovely day."),
        ({"casing": "loud"}, "A LOVELY DAY."),
        ({"casing": "title"}, "A Lovely Day."),
        ({"end_mark": "!!"}, "A lovely day!!"),
        ({"opener_share": 1.0}, "Well, a lovely day."),
        ({"closer_share": 1.0}, "A lovely day. Lol."),
        ({"emoji_share": 1.0}, "A lovely day. 🌊🌊"),
        ({"tag_share": 1.0}, "A lovely day. #SeaAir"),
        ({"tag_share": 1.0, "tag_camel": False}, "A lovely day. #seaair"),
        ({"stretch_share": 1.0, "intensifiers": ()}, "A loooovely day."),
        ({"shout_share": 1.0}, "A LOVELY DAY."),
    ],
)
def test_each_habit_shows(changes: dict[str, object], text: str) -> None:
    assert dressed(replace(PLAIN, **changes), "a lovely day") == text


def test_clauses_are_joined_and_questions_asked() -> None:
    assert dressed(PLAIN, "rain again", "will it stop", question=True) == "Rain again, will it stop?"


def test_own_spelling_replaces_whole_words_only() -> None:
    assert dressed(replace(PLAIN, spellings=("cuz",)), "sand and sea") == "Sand n sea."


@given(
    seed=st.integers(0, 10_000),
    clauses=st.lists(st.sampled_from(["a b", "long word " * 9, "x"]), min_size=1, max_size=4),
)
def test_the_limit_holds_for_every_person(seed: int, clauses: list[str]) -> None:
    rng = np.random.default_rng(seed)
    assert 0 < len(dress(rng, clauses, draw_habits(rng), question=False, limit=60)) <= 60
