"""The persona line says what its template names, in one line, or fails in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.corpus import User
from agents.errors import PopulationError
from agents.personas import DEFAULT_PERSONA, persona_line

ANA = User("ana", "supportive", "Baker on Mill Street.", ())


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (DEFAULT_PERSONA, "Baker on Mill Street. You are supportive."),
        ("{profile}", "Baker on Mill Street."),
        ("@{user} is {side}", "@ana is supportive"),
        ("", ""),
        ("{{side}}", "{side}"),
    ],
)
def test_fields_are_filled(template: str, line: str) -> None:
    assert persona_line(ANA, template) == line


def test_an_empty_profile_leaves_nothing_behind() -> None:
    assert persona_line(User("bo", "skeptical", "", ())) == "You are skeptical."


def test_a_user_without_a_side_needs_a_template_without_one() -> None:
    nobody = User("bo", None, "Cook.", ())
    assert persona_line(nobody, "{profile}") == "Cook."
    with pytest.raises(PopulationError, match=r"user 'bo' has no side; give the corpus a side column"):
        persona_line(nobody)


@pytest.mark.parametrize("template", ["{name}", "{}", "{side!r}", "{user.posts}", "{profile:>9}", "{side"])
def test_an_unknown_field_is_named(template: str) -> None:
    with pytest.raises(PopulationError, match="persona: "):
        persona_line(ANA, template)


@given(st.text(), st.text())
def test_a_profile_cannot_break_the_line_or_be_a_template(profile: str, user_id: str) -> None:
    line = persona_line(User(user_id, "{user}", profile, ()))
    assert len(line.splitlines()) <= 1
    assert "{user}" in line
