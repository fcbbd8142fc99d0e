"""Writer, grammar and reader of replies agree, in Python's notation of regular expressions and in Rust's."""

import json
import re
import sys

import llguidance
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.decision import TARGETS_POST, Action, Affordances, Decision, FeedEntry, affordances
from agents.errors import DecisionError
from agents.reply import parse_reply, reply_grammar, reply_parts
from agents.text import clean_text
from tests.agents.strategies import allowed_actions, decisions, feeds, texts

MAX_CHARS = 200
FEED = (
    FeedEntry(70, 7, "ana", "one", liked=True),
    FeedEntry(80, 8, "bob", "two", following=True),
    FeedEntry(90, 7, "ana", "three"),
)
OPEN = affordances(FEED)
BYTES = llguidance.LLTokenizer("byte")


def accepts(grammar: str, text: str) -> bool:
    """Whether llguidance, byte by byte, takes the whole text as complete."""
    matcher = llguidance.LLMatcher(BYTES, llguidance.LLMatcher.grammar_from_regex(grammar))
    tokens = BYTES.tokenize_bytes(text.encode())
    taken = matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()
    assert not matcher.get_error()
    return taken


@st.composite
def situations(draw: st.DrawFn) -> tuple[tuple[FeedEntry, ...], Affordances]:
    feed = draw(feeds())
    return feed, affordances(feed, draw(allowed_actions))


@given(situations(), st.data())
def test_what_is_written_matches_the_grammar_and_reads_back(
    situation: tuple[tuple[FeedEntry, ...], Affordances], data: st.DataObject
) -> None:
    feed, open_to = situation
    decision = data.draw(decisions(feed, open_to))
    written = reply_parts(decision, feed).text
    assert re.fullmatch(reply_grammar(open_to, MAX_CHARS), written)
    assert parse_reply(written, feed, open_to) == decision


@settings(max_examples=40)
@given(situations(), st.data())
def test_llguidance_takes_what_is_written(
    situation: tuple[tuple[FeedEntry, ...], Affordances], data: st.DataObject
) -> None:
    feed, open_to = situation
    decision = data.draw(decisions(feed, open_to))
    assert accepts(reply_grammar(open_to, MAX_CHARS), reply_parts(decision, feed).text)


@given(situations(), st.data())
def test_whatever_the_grammar_admits_is_a_decision_on_open_targets(
    situation: tuple[tuple[FeedEntry, ...], Affordances], data: st.DataObject
) -> None:
    feed, open_to = situation
    grammar = reply_grammar(open_to, 3)
    reply = data.draw(
        st.from_regex(grammar, fullmatch=True, alphabet=st.characters(exclude_categories=["Cs"]))
    )
    decision = parse_reply(reply, feed, open_to)
    assert decision.action in open_to.actions
    if decision.action in TARGETS_POST:
        assert decision.post_id in {feed[n - 1].post_id for n in open_to.posts[decision.action]}
    if decision.followee_id is not None:
        assert any(e.author_id == decision.followee_id and not e.following for e in feed)
    assert decision.content is None or 1 <= len(decision.content) <= 3
    assert re.fullmatch(grammar, reply_parts(decision, feed).text)


def test_content_holds_exactly_the_characters_that_cleaning_keeps() -> None:
    """All of Unicode: the kept ones in one long text, the others one by one."""
    characters = [chr(n) for n in range(sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF]
    kept = [c for c in characters if clean_text(c) == c and c not in '"\\']
    dropped = sorted({*characters} - {*kept, " "})
    grammar = re.compile(reply_grammar(affordances((), (Action.CREATE_POST,)), len(kept)))
    assert grammar.fullmatch('{"action":"create_post","content":"' + "".join(kept) + '"}')
    assert len(kept) > 1_000_000 > 10_000 > len(dropped) > 80
    for char in dropped:
        assert not grammar.fullmatch(f'{{"action":"create_post","content":"{char}"}}'), ascii(char)
        assert not grammar.fullmatch(f'{{"action":"create_post","content":"a{char}"}}'), ascii(char)


def test_rust_reads_the_character_class_as_python_does() -> None:
    grammar = reply_grammar(affordances((), (Action.CREATE_POST,)), 1)
    edges = (
        '\x00\x1f !"#\\a~\x7f\x80\x85\x9f\xa0¡\u167f\u1680\u1681\u1fff\u2000\u200a\u200b\u2027\u2028\u202e'
    )
    edges += "\u202f\u2030\u205e\u205f\u2060\u2065\u2066\u2069\u206a\u2fff\u3000\u3001\ufeff😀\U0010ffff"
    for char in edges:
        reply = f'{{"action":"create_post","content":"{char}"}}'
        assert accepts(grammar, reply) == bool(re.fullmatch(grammar, reply)), ascii(char)


@pytest.mark.parametrize(
    "reply",
    [
        '{"action":"like_post","post":1}',  # liked already
        '{"action":"like_post","post":0}',
        '{"action":"like_post","post":4}',
        '{"action":"like_post","post":23}',
        '{"action":"like_post","post":02}',
        '{"action":"follow","user":"bob"}',  # followed already
        '{"action":"follow","user":"eve"}',
        '{"action":"follow","user":"anaana"}',
        '{"action": "do_nothing"}',
        '{"action":"do_nothing"} ',
        '{"action":"create_post","content":""}',
        '{"action":"create_post","content":" a"}',
        '{"action":"create_post","content":"a\nb"}',
        '{"action":"create_post","content":"a\\nb"}',
        '{"action":"create_post","content":"a"b"}',
        '{"action":"create_post","content":"a\\"}',
    ],
)
def test_the_grammar_admits_no_invalid_reply(reply: str) -> None:
    grammar = reply_grammar(OPEN, MAX_CHARS)
    assert not re.fullmatch(grammar, reply)
    assert not accepts(grammar, reply)


def test_content_is_counted_in_characters_and_an_escape_is_one() -> None:
    grammar = reply_grammar(affordances((), (Action.CREATE_POST,)), 3)
    for content, fits in ((r"\"\\\"", True), ("😀😀😀", True), ("abcd", False)):
        reply = f'{{"action":"create_post","content":"{content}"}}'
        assert bool(re.fullmatch(grammar, reply)) == accepts(grammar, reply) == fits


def test_a_grammar_needs_an_open_action_and_room_for_words() -> None:
    with pytest.raises(ValueError, match="no action"):
        reply_grammar(Affordances({}, (), ()), 10)
    with pytest.raises(ValueError, match="max_chars"):
        reply_grammar(OPEN, 0)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("", "malformed"),
        ("like_post", "malformed"),
        ("[" * 100_000, "malformed"),
        ("9" * 5_000, "malformed"),
        ("[]", "malformed"),
        ('{"post":1}', "malformed"),
        ('{"action":1}', "malformed"),
        ('{"action":"like_post"}', "malformed"),
        ('{"action":"do_nothing","post":1}', "malformed"),
        ('{"action":"create_post","content":5}', "malformed"),
        ('{"action":"delete_post","post":1}', "unknown_action"),
        ('{"action":"like_post","post":1}', "invalid_target"),
        ('{"action":"like_post","post":true}', "invalid_target"),
        ('{"action":"like_post","post":2.0}', "invalid_target"),
        ('{"action":"like_post","post":"2"}', "invalid_target"),
        ('{"action":"like_post","post":-1}', "invalid_target"),
        ('{"action":"follow","user":"bob"}', "invalid_target"),
        ('{"action":"follow","user":7}', "invalid_target"),
        ('{"action":"create_post","content":" \\n\\u202e"}', "empty_content"),
        ('{"action":"create_post","content":"\\ud800"}', "empty_content"),
    ],
)
def test_a_reply_that_is_no_decision_has_its_kind(reply: str, kind: str) -> None:
    with pytest.raises(DecisionError) as caught:
        parse_reply(reply, FEED, OPEN)
    assert caught.value.kind == kind


@given(texts | st.recursive(st.none() | st.booleans() | st.floats() | texts, st.lists).map(json.dumps))
def test_reading_never_fails_in_another_way(reply: str) -> None:
    try:
        parse_reply(reply, FEED, OPEN)
    except DecisionError as error:
        assert error.kind in {"malformed", "unknown_action", "invalid_target", "empty_content"}


def test_an_action_that_is_not_allowed_is_not_read() -> None:
    with pytest.raises(DecisionError, match="open are do_nothing"):
        parse_reply('{"action":"create_post","content":"a"}', FEED, affordances(FEED, (Action.DO_NOTHING,)))


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Decision(Action.LIKE_POST, post_id=1), "post 1 is not in the feed"),
        (Decision(Action.FOLLOW, followee_id=1), "user 1 is not in the feed"),
        (Decision(Action.CREATE_POST, content=" \u202e"), "no visible text"),
    ],
)
def test_what_cannot_be_said_is_not_written(decision: Decision, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reply_parts(decision, FEED)


def test_replies_read_as_documented() -> None:
    written = [
        reply_parts(decision, FEED).text
        for decision in (
            Decision(Action.LIKE_POST, post_id=80),
            Decision(Action.CREATE_COMMENT, post_id=70, content='so "true"'),
            Decision(Action.FOLLOW, followee_id=7),
            Decision(Action.DO_NOTHING),
        )
    ]
    assert written == [
        '{"action":"like_post","post":2}',
        '{"action":"create_comment","post":1,"content":"so \\"true\\""}',
        '{"action":"follow","user":"ana"}',
        '{"action":"do_nothing"}',
    ]


def test_only_the_words_of_the_agent_are_content() -> None:
    parts = reply_parts(Decision(Action.QUOTE_POST, post_id=90, content="look"), FEED)
    assert parts == ('{"action":"quote_post","post":3,"content":"', "look", '"}')
    assert reply_parts(Decision(Action.DO_NOTHING), ()).content == ""
