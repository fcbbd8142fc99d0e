"""The meter counts what was spent and refuses a batch that the budget cannot cover."""

from __future__ import annotations

from dataclasses import fields

import pytest

from adapters.engines.metered import Budget, MeteredEngine, Usage
from adapters.engines.protocol import GenerateRequest, Message, RequestError, Sampling, ScoreRequest
from adapters.engines.scripted import ScriptedEngine
from adapters.errors import BudgetExceededError


class Clock:
    """Moves on by the seconds that the next reply takes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def metered(budget: Budget | None = None, seconds_per_reply: float = 1.0) -> MeteredEngine:
    clock = Clock()

    def reply(request: GenerateRequest) -> str | RequestError:
        clock.now += seconds_per_reply
        return RequestError("engine", "broken") if request.request_id == "fails" else "ab"

    return MeteredEngine(ScriptedEngine(reply), budget, clock=clock)


def ask(name: str, adapter: str | None = None) -> GenerateRequest:
    return GenerateRequest(name, (1, 2, 3), adapter)


def test_usage_is_counted_in_all_and_by_adapter() -> None:
    engine = metered()
    engine.generate([ask("a", "x"), ask("b", "x"), ask("c")])
    # Each prompt has 3 tokens, each reply 2 characters and the end; 3 seconds go by tokens, 6 of 18 each.
    assert engine.by_adapter == {"x": Usage(2, 6, 6, 2.0), None: Usage(1, 3, 3, 1.0)}
    assert engine.spent == Usage(3, 9, 9, 3.0)
    engine.score([ScoreRequest("d", (1, 2), (3, 4, 5), "x")])
    assert engine.by_adapter["x"] == Usage(3, 11, 6, 2.0)


def test_failed_requests_count_as_requests_without_drawn_tokens() -> None:
    engine = metered()
    engine.generate([ask("fails")])
    assert engine.spent == Usage(1, 3, 0, 1.0)


@pytest.mark.parametrize("bound", [Budget(requests=1), Budget(tokens_in=5), Budget(tokens_out=1)])
def test_a_batch_that_cannot_be_covered_is_refused_before_it_runs(bound: Budget) -> None:
    engine = metered(bound)
    with pytest.raises(BudgetExceededError, match="nothing of it was run"):
        engine.generate([ask("a"), ask("b")])
    assert engine.spent == Usage()


def test_the_last_batch_let_in_may_pass_the_bound_on_drawn_tokens() -> None:
    engine = metered(Budget(tokens_out=4))
    engine.generate([ask("a"), ask("b")])  # at least 2 tokens, in fact 6
    assert engine.spent.tokens_out == 6
    with pytest.raises(BudgetExceededError, match="tokens_out: 6 of 4 spent"):
        engine.generate([ask("c")])


def test_time_that_is_up_stops_the_next_batch() -> None:
    engine = metered(Budget(seconds=1.5))
    engine.generate([ask("a")])
    engine.generate([ask("b")])
    with pytest.raises(BudgetExceededError, match=r"seconds: 2 of 1\.5 spent"):
        engine.score([ScoreRequest("c", (1,), (2,))])


def test_scores_are_bounded_by_prompt_and_completion() -> None:
    engine = metered(Budget(tokens_in=5))
    with pytest.raises(BudgetExceededError, match="tokens_in"):
        engine.score([ScoreRequest("a", (1, 2, 3), (4, 5, 6))])
    engine.score([ScoreRequest("a", (1, 2, 3), (4, 5))])


def test_an_empty_batch_is_always_covered() -> None:
    assert metered(Budget(0, 0, 0, 0)).generate([]) == []


def test_messages_count_one_token_each_beforehand_and_fully_afterwards() -> None:
    engine = metered(Budget(tokens_in=2))
    engine.generate(
        [GenerateRequest("a", (Message("system", "hello"), Message("user", "you")), None, Sampling())]
    )
    assert engine.spent.tokens_in == len("hello") + len("you") + 2  # and an end token each


def test_negative_bounds_are_refused() -> None:
    for field in fields(Budget):
        with pytest.raises(ValueError, match=field.name):
            Budget(**{field.name: -1})
