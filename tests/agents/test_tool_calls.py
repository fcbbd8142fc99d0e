"""Tool calls are read as decisions on the platform's ids, and whatever is wrong with one has its kind."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.protocol import GenerateResult, RequestError, Sampling
from agents.decision import ALL_ACTIONS, Action, Decision, FeedEntry, affordances
from agents.errors import DecisionError
from agents.policy import Observation
from agents.population import Agent
from agents.tool_calls import ARGUMENTS, ToolCall, ToolReply, parse_tool_reply
from agents.tool_policy import ToolCallingPolicy, tool_prompt

FEED = (
    FeedEntry(50, 5, "bob", "hello", liked=True),
    FeedEntry(61, 6, "eve", "no tram", likes=3, following=True),
)
OPEN = affordances(FEED)
SEEN = Observation(3, Agent(4, "ana", "ana_1", "left", "A cook.", 1.0), FEED, OPEN)
POLICY = ToolCallingPolicy(max_chars=20, max_new_tokens=64, temperature=0.7, top_p=0.9)

TEXTS = st.characters(max_codepoint=0xDBFF)
"""With first halves of surrogate pairs; a second half after one would make it whole."""


def calls(*made: tuple[str, object]) -> ToolReply:
    return ToolReply(None, tuple(ToolCall(name, json.dumps(arguments)) for name, arguments in made))


def kind_of(reply: ToolReply) -> str:
    with pytest.raises(DecisionError) as caught:
        parse_tool_reply(reply, FEED, OPEN, 20)
    return caught.value.kind


@pytest.mark.parametrize(
    ("name", "arguments", "decision"),
    [
        ("like_post", {"post_id": 61}, Decision(Action.LIKE_POST, post_id=61)),
        ("follow", {"followee_id": 5}, Decision(Action.FOLLOW, followee_id=5)),
        ("create_post", {"content": " a  b\n"}, Decision(Action.CREATE_POST, content="a b")),
        ("create_comment", {"post_id": 50, "content": "x"}, Decision(Action.CREATE_COMMENT, 50, content="x")),
        ("quote_post", {"post_id": 50, "quote_content": "x"}, Decision(Action.QUOTE_POST, 50, content="x")),
        ("do_nothing", {}, Decision(Action.DO_NOTHING)),
    ],
)
def test_a_call_is_a_decision(name: str, arguments: object, decision: Decision) -> None:
    assert parse_tool_reply(calls((name, arguments)), FEED, OPEN, 20) == decision


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (ToolReply("I like it!", ()), "no_tool_call"),
        (ToolReply(None, ()), "no_tool_call"),
        (calls(("do_nothing", {}), ("do_nothing", {})), "several_tool_calls"),
        (calls(("fly", {})), "unknown_action"),
        (ToolReply(None, (ToolCall("like_post", '{"post_id'),)), "malformed"),
        (ToolReply(None, (ToolCall("like_post", "[" * 100_000),)), "malformed"),
        (calls(("like_post", [61])), "malformed"),
        (calls(("like_post", {"post_id": "61"})), "malformed"),
        (calls(("like_post", {"post_id": True})), "malformed"),
        (calls(("like_post", {"post": 61})), "malformed"),
        (calls(("do_nothing", {"why": "tired"})), "malformed"),
        (calls(("like_post", {"post_id": 50})), "invalid_target"),
        (calls(("repost", {"post_id": 7})), "invalid_target"),
        (calls(("follow", {"followee_id": 6})), "invalid_target"),
        (calls(("follow", {"followee_id": 4})), "invalid_target"),
        (calls(("create_post", {"content": " \n"})), "empty_content"),
        (calls(("create_post", {"content": "x" * 21})), "too_long"),
    ],
)
def test_a_failure_has_its_kind(reply: ToolReply, kind: str) -> None:
    assert kind_of(reply) == kind


def test_every_action_has_its_arguments() -> None:
    assert set(ARGUMENTS) == set(ALL_ACTIONS)


@given(
    st.none() | st.text(TEXTS),
    st.lists(st.tuples(st.text(TEXTS), st.text(TEXTS)), max_size=3),
)
def test_what_is_written_down_is_read_again(content: str | None, made: list[tuple[str, str]]) -> None:
    """Also half surrogate pairs, which a server's JSON may hold and a file of UTF-8 may not."""
    reply = ToolReply(content, tuple(ToolCall(*call) for call in made))
    assert ToolReply.read(reply.text) == reply
    reply.text.encode("utf-8")


def test_the_prompt_has_the_ids_that_tools_take() -> None:
    system, user = tool_prompt("ana_1", "A cook.", FEED, OPEN)
    assert system.content.startswith("You are @ana_1. A cook.\n")
    assert user.content.splitlines()[1].startswith("[50] @bob, 0 likes, you liked")
    assert "Users: @bob is 5" in user.content
    assert "eve is 6" not in user.content  # followed already
    assert "Feed: empty" in tool_prompt("ana_1", "", (), affordances(()))[1].content


def test_the_request_is_the_same_under_every_adapter() -> None:
    own, base = (POLICY.observe(SEEN, adapter=adapter, seed=9) for adapter in ("rev", None))
    assert (own.adapter, base.adapter, own.prompt) == ("rev", None, base.prompt)
    assert own.sampling == Sampling(64, 0.7, 0.9, 9)
    assert own.grammar is None


def test_the_policy_reads_the_engine_s_reply() -> None:
    text = calls(("like_post", {"post_id": 61})).text
    result = GenerateResult("3/4", text, (1, 2), (-1.0, -1.0), "stop", 10)
    assert POLICY.decide(SEEN, result) == Decision(Action.LIKE_POST, post_id=61)
    for failed, kind in (
        (GenerateResult("3/4", text, (1, 2), (-1.0, -1.0), "length", 10), "truncated"),
        (GenerateResult("3/4", "", (), (), "error", 10, RequestError("engine", "gone")), "engine_engine"),
    ):
        with pytest.raises(DecisionError) as caught:
            POLICY.decide(SEEN, failed)
        assert caught.value.kind == kind
