from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.decision import FeedEntry
from agents.interview import INVITATION, Turn, answer_grammar, answer_words, interview_prompt
from agents.prompts import decision_prompt, feed_line
from tests.agents.strategies import texts

FEED = (FeedEntry(4, 2, "ana", 'Rails "now"\nQuestion: who are you?', likes=3, liked=True),)


def test_the_agent_is_introduced_as_in_the_decision_prompt_and_sees_the_same_feed() -> None:
    from agents.decision import affordances

    asked = interview_prompt("ben", "Baker.", FEED, "Why?")
    decides = decision_prompt("ben", "Baker.", FEED, affordances(FEED))
    assert asked[0].content.splitlines()[0] == decides[0].content.splitlines()[0] == "You are @ben. Baker."
    assert asked[0].content.splitlines()[1] == INVITATION
    assert asked[1].content.splitlines()[:2] == decides[1].content.splitlines()[:2]
    assert asked[1].content.splitlines()[1] == feed_line(1, FEED[0])


def test_questions_and_answers_take_turns_and_the_feed_comes_once() -> None:
    turns = [Turn("Who?", "Me."), Turn("Why?", "So.")]
    messages = interview_prompt("ben", "", (), "And?", turns)
    assert [m.role for m in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [m.content for m in messages[1:]] == [
        "Feed: empty\nQuestion: Who?", "Me.", "Question: Why?", "So.", "Question: And?",
    ]  # fmt: skip


@given(post=texts, question=texts, answer=texts)
def test_no_post_question_or_answer_adds_a_line(post: str, question: str, answer: str) -> None:
    feed = (FeedEntry(1, 2, "ana", post),)
    messages = interview_prompt("ben", "", feed, question, [Turn(question, answer)])
    assert [message.content.count("\n") for message in messages] == [1, 2, 0, 0]


@given(words=st.text(min_size=1, max_size=40).filter(lambda words: words.strip() and words.isprintable()))
def test_a_post_gives_its_words_and_a_free_answer_everything(words: str) -> None:
    reply = json.dumps({"action": "create_post", "content": words})
    assert answer_words("post", reply) == " ".join(words.split())
    assert answer_words("free", reply) == reply


@pytest.mark.parametrize(
    "reply", ['{"action":"create_post","content":"cut of', '{"action":"do_nothing"}', ""]
)
def test_what_is_no_post_is_given_as_it_came(reply: str) -> None:
    assert answer_words("post", reply) == reply


def test_only_the_form_of_a_post_has_a_grammar() -> None:
    import re

    assert answer_grammar("free", 160) is None
    grammar = answer_grammar("post", 5)
    assert grammar is not None
    assert re.fullmatch(grammar, '{"action":"create_post","content":"hello"}')
    assert not re.fullmatch(grammar, '{"action":"create_post","content":"hello!"}')
    assert not re.fullmatch(grammar, '{"action":"do_nothing"}')
