from collections.abc import Sequence

import pytest
from hypothesis import given

from adapters.engines.protocol import Message
from agents.decision import ALL_ACTIONS, Action, Decision, FeedEntry, affordances
from agents.prompts import decision_prompt
from agents.rendering import RENDERINGS, Rendering, render_post, render_reply
from agents.reply import parse_reply
from tests.agents.strategies import visible_texts

BEGIN, END = 0x110001, 0x110002  # beyond Unicode, so no text holds them


class CodePoints:
    """An encoder whose tokens are code points."""

    begin_ids = (BEGIN,)
    end_ids = (END,)

    def text_ids(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return self.text_ids("|".join(f"{m.role}:{m.content}" for m in messages) + "|")


ENCODER = CodePoints()
PROMPT = ENCODER.prompt_ids(decision_prompt("ana", "A cook.", (), affordances((), ALL_ACTIONS)))


def parts(text: str, rendering: Rendering) -> tuple[str, str]:
    """Context and learned part, the end of turn shown as ■."""
    row = render_post(text, handle="ana", persona="A cook.", rendering=rendering, encoder=ENCODER)
    shown = ["".join("■" if t == END else "□" if t == BEGIN else chr(t) for t in row.tokens[a:b])
             for a, b in ((None, row.learn_from), (row.learn_from, None))]  # fmt: skip
    return shown[0], shown[1]


def test_raw_learns_the_bare_post() -> None:
    assert parts(' so\n"good" ', "raw") == ("□", 'so "good"■')


def test_turn_learns_the_whole_reply_under_the_decision_prompt() -> None:
    prompt = "".join(map(chr, PROMPT))
    assert parts('so "good"', "turn") == (prompt, '{"action":"create_post","content":"so \\"good\\""}■')


def test_words_learns_the_words_and_the_end_only() -> None:
    prompt = "".join(map(chr, PROMPT))
    assert parts('so "good"', "words") == (prompt + '{"action":"create_post","content":"', 'so \\"good\\""}■')


@given(visible_texts)
def test_turn_and_words_differ_only_in_where_learning_begins(text: str) -> None:
    turn, words = (
        render_post(text, handle="ana", persona="", rendering=r, encoder=ENCODER) for r in ("turn", "words")
    )
    assert turn.tokens == words.tokens
    assert turn.learn_from < words.learn_from


@given(visible_texts)
def test_a_rendered_turn_is_a_reply_that_reads_back(text: str) -> None:
    _, reply = parts(text, "turn")
    assert parse_reply(reply.removesuffix("■"), (), affordances(())).content == text


def test_a_decision_with_a_target_is_rendered_with_its_feed() -> None:
    feed = (FeedEntry(5, 1, "bob", "x"), FeedEntry(6, 1, "bob", "y"))
    row = render_reply((1, 2), Decision(Action.LIKE_POST, post_id=6), ENCODER, "turn", feed)
    assert row == ((1, 2, *ENCODER.text_ids('{"action":"like_post","post":2}'), END), 2)


@pytest.mark.parametrize("text", ["", " \n", "\u202e\x00"])
@pytest.mark.parametrize("rendering", RENDERINGS)
def test_a_post_that_shows_nothing_is_refused(text: str, rendering: Rendering) -> None:
    with pytest.raises(ValueError, match="visible text"):
        render_post(text, handle="ana", persona="", rendering=rendering, encoder=ENCODER)


def test_an_unknown_rendering_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="raw, turn, words"):
        render_post("x", handle="a", persona="", rendering="chat", encoder=ENCODER)  # type: ignore[arg-type]
