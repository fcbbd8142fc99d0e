"""Constraints take exactly what their masks show, and end exactly where the expression is complete."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.bases.loader import Base
from adapters.engines.grammar import GrammarCompiler
from adapters.errors import GrammarError

EXPRESSIONS = (
    r"a+",
    r"(?:cat|car|dog)s?",
    r'\{"action":(?:"do_nothing"|"like_post","post":(?:1|2|12))\}',
    r'"[^"\\\x00-\x1f]{0,5}"',
    r"[é-ü]x",
    r"",
)


@pytest.fixture(scope="module")
def compiler(base: Base) -> GrammarCompiler:
    vocabulary = base.model.config.vocab_size
    return GrammarCompiler(base.tokenizer, vocabulary, base.encoder.end_ids[0])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(EXPRESSIONS), st.integers(0, 2**32))
def test_a_walk_over_allowed_tokens_ends_in_a_match(
    base: Base, compiler: GrammarCompiler, expression: str, seed: int
) -> None:
    """At every state `take` accepts what `allowed` shows; the end token only at a match."""
    rng, end = np.random.default_rng(seed), base.encoder.end_ids[0]
    constraint, ids = compiler.compile(expression), []
    for _ in range(60):
        allowed = compiler.allowed([constraint])[0].nonzero().flatten().tolist()
        ruled_out = set(range(base.model.config.vocab_size)) - set(allowed)
        assert not any(constraint.take(token) for token in rng.permutation(sorted(ruled_out))[:20].tolist())
        # Prefer to end, so that expressions without a longest match come to one.
        token = end if end in allowed and rng.random() < 0.5 else int(rng.choice(allowed))
        assert constraint.take(token)
        if token == end:
            break
        ids.append(token)
    else:
        pytest.fail(f"no end after {ids}")
    assert re.fullmatch(expression, base.tokenizer.decode(ids))


def test_the_end_is_refused_before_the_expression_is_complete(base: Base, compiler: GrammarCompiler) -> None:
    constraint, end = compiler.compile("ab"), base.encoder.end_ids[0]
    for token in base.encoder.text_ids("ab"):
        assert not constraint.take(end)
        assert constraint.take(token)
    assert constraint.take(end)


def test_a_matcher_that_gave_up_takes_nothing_and_says_why(base: Base, compiler: GrammarCompiler) -> None:
    constraint = compiler.compile("ab")
    constraint.matcher.consume_token(base.encoder.text_ids("x")[0])
    assert not constraint.take(base.encoder.end_ids[0])
    assert constraint.failure


def test_constraints_of_one_expression_are_independent(base: Base, compiler: GrammarCompiler) -> None:
    first, second = compiler.compile("ab"), compiler.compile("ab")
    a, b = base.encoder.text_ids("ab")
    assert first.take(a)
    assert (first.take(b), second.take(b)) == (True, False)


def test_masks_of_a_batch_belong_to_their_rows(base: Base, compiler: GrammarCompiler) -> None:
    masks = compiler.allowed([compiler.compile("a"), compiler.compile("[bc]")])
    a, b, c = base.encoder.text_ids("abc")
    assert [m.nonzero().flatten().tolist() for m in masks] == [[a], sorted([b, c])]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(", "unclosed"),
        (r"a(?=b)", "look-around"),
        (r"(a)\1", "backreferences"),
        (r"[^\s\S]", "no text matches"),
    ],
)
def test_expressions_that_cannot_work_say_why(
    compiler: GrammarCompiler, expression: str, reason: str
) -> None:
    with pytest.raises(GrammarError, match=reason):
        compiler.compile(expression)
