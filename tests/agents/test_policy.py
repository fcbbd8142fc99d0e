import re

import pytest

from adapters.engines.protocol import FinishReason, GenerateResult, RequestError, Sampling
from agents.decision import Action, Decision, FeedEntry, affordances
from agents.errors import DecisionError
from agents.policy import Observation, Policy, ScriptedPolicy, StructuredPolicy
from agents.population import Agent
from agents.prompts import decision_prompt

FEED = (FeedEntry(50, 5, "bob", "hello"),)
AGENT = Agent(4, "ana", "ana_1", "left", "A cook.", 1.0)
SEEN = Observation(step=3, agent=AGENT, feed=FEED, open_to=affordances(FEED))
POLICY = StructuredPolicy(max_chars=20, max_new_tokens=64, temperature=0.7, top_p=0.9)


def reply(
    text: str, finish_reason: FinishReason = "stop", error: RequestError | None = None
) -> GenerateResult:
    return GenerateResult("3/4", text, tuple(range(7)), (-1.0,) * 7, finish_reason, 10, error)


def test_the_request_carries_prompt_grammar_adapter_and_seed() -> None:
    request = POLICY.observe(SEEN, adapter="rev", seed=9)
    assert request.request_id == "3/4"
    assert request.prompt == decision_prompt("ana_1", "A cook.", FEED, SEEN.open_to)
    assert request.adapter == "rev"
    assert request.sampling == Sampling(max_new_tokens=64, temperature=0.7, top_p=0.9, seed=9)
    assert request.grammar is not None
    assert re.fullmatch(request.grammar, '{"action":"like_post","post":1}')
    assert not re.fullmatch(request.grammar, '{"action":"like_post","post":2}')
    assert not re.fullmatch(request.grammar, '{"action":"create_post","content":"' + "x" * 21 + '"}')


def test_conditions_differ_by_the_adapter_alone() -> None:
    own, base = (POLICY.observe(SEEN, adapter=adapter, seed=9) for adapter in ("rev", None))
    assert (own.prompt, own.grammar, own.sampling, own.request_id) == (
        base.prompt,
        base.grammar,
        base.sampling,
        base.request_id,
    )


def test_a_reply_becomes_a_decision_on_platform_ids() -> None:
    assert POLICY.decide(SEEN, reply('{"action":"like_post","post":1}')) == Decision(
        Action.LIKE_POST, post_id=50
    )
    assert POLICY.decide(SEEN, reply('{"action":"follow","user":"bob"}')) == Decision(
        Action.FOLLOW, followee_id=5
    )


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (reply("", "error", RequestError("prompt_too_long", "4,097 tokens")), "engine_prompt_too_long"),
        (reply("", "error", RequestError("engine", "out of memory")), "engine_engine"),
        (reply('{"action":"create_post","content":"aaa', "length"), "truncated"),
        (reply('{"action":"do_nothing"}', "length"), "truncated"),
        (reply("sure!"), "malformed"),
        (reply('{"action":"like_post","post":9}'), "invalid_target"),
    ],
)
def test_a_failure_has_its_kind(result: GenerateResult, kind: str) -> None:
    with pytest.raises(DecisionError) as caught:
        POLICY.decide(SEEN, result)
    assert caught.value.kind == kind


def test_a_script_decides_whatever_the_reply_is() -> None:
    policy: Policy = ScriptedPolicy(lambda seen: Decision(Action.LIKE_POST, post_id=seen.feed[0].post_id))
    assert policy.observe(SEEN, adapter=None, seed=1).request_id == "3/4"
    assert policy.decide(SEEN, reply("noise", "length")) == Decision(Action.LIKE_POST, post_id=50)
    with pytest.raises(DecisionError, match="gone"):
        policy.decide(SEEN, reply("", "error", RequestError("engine", "gone")))


def test_a_script_may_play_a_failure() -> None:
    def refuse(_seen: Observation) -> Decision:
        raise DecisionError("refusal", "no")

    with pytest.raises(DecisionError, match="no"):
        ScriptedPolicy(refuse).decide(SEEN, reply(""))
