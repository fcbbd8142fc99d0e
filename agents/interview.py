"""The interview prompt: the decision prompt's agent and feed, then a question that is answered in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from adapters.engines.protocol import Message
from agents.decision import Action, Affordances, FeedEntry
from agents.errors import DecisionError
from agents.prompts import feed_lines, introduction
from agents.reply import parse_reply, reply_grammar
from agents.text import clean_text

INVITATION = "An interviewer asks you questions. Answer in your own words."

Form = Literal["free", "post"]
"""How an answer is given: `free`, whatever the model writes; `post`, as the words of a `create_post` reply, which is
where an adapter of the rendering `words` or `turn` learned its person's words."""

FORMS: tuple[Form, ...] = get_args(Form)

_ONLY_POST = Affordances(posts={}, handles=(), actions=(Action.CREATE_POST,))


class Turn(NamedTuple):
    """A question that was asked before, and what this speaker answered."""

    question: str
    answer: str


def interview_prompt(
    handle: str, persona: str, feed: tuple[FeedEntry, ...], question: str, earlier: Sequence[Turn] = ()
) -> tuple[Message, ...]:
    """The chat messages under which an agent answers.

    As in the decision prompt, each post is one line and its text one JSON string, and the question stands on a
    line of its own: no post can put a question, and no question can add a post.

    Args:
        handle: the agent's own name on the platform.
        persona: one line about the agent.
        feed: what it has before it, best first.
        question: asked now; white space is folded.
        earlier: turns of this conversation, the first one first.

    Returns:
        A system message, then question and answer by turns; the feed stands before the first question.
    """
    turns = [*earlier, Turn(question, "")]
    asked = [f"Question: {clean_text(turn.question)}" for turn in turns]
    asked[0] = "\n".join([*feed_lines(feed), asked[0]])
    messages = [Message("system", f"{introduction(handle, persona)}\n{INVITATION}")]
    for turn, said in zip(earlier, asked, strict=False):
        messages += [Message("user", said), Message("assistant", clean_text(turn.answer))]
    return (*messages, Message("user", asked[-1]))


def answer_grammar(form: Form, max_chars: int) -> str | None:
    """What the engine holds an answer to: None for a free one, else a post of 1 to `max_chars` characters."""
    return None if form == "free" else reply_grammar(_ONLY_POST, max_chars)


def answer_words(form: Form, reply: str) -> str:
    """The words of an answer: all of a free one, the content of a post.

    A post that was cut, or that an engine without grammars wrote otherwise, is given as it came.
    """
    if form == "free":
        return reply
    try:
        return parse_reply(reply, (), _ONLY_POST).content or ""
    except DecisionError:
        return reply
