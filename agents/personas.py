"""The persona line: what a prompt says about its agent, the same for every condition."""

from __future__ import annotations

from string import Formatter

from agents.corpus import User
from agents.errors import PopulationError
from agents.text import clean_text

PERSONA_FIELDS = ("user", "side", "profile")
DEFAULT_PERSONA = "{profile} You are {side}."
"""Profile, then side: `Baker on Mill Street. You are supportive.`"""


def persona_line(user: User, template: str = DEFAULT_PERSONA) -> str:
    """Fill `template` with what is known about `user`.

    Args:
        user: the person; an empty profile leaves nothing behind.
        template: text with any of the fields {user}, {side}, {profile}; braces are written `{{` and `}}`.

    Returns:
        One line with white space folded, possibly empty.

    Raises:
        PopulationError: for an unknown field, a field with attributes or a format, or a template that
            names {side} while the user has none.
    """
    _check_template(template)
    if user.side is None and "{side}" in template.replace("{{", ""):
        raise PopulationError(
            f"persona: {template!r} names {{side}}, but user {user.user_id!r} has no side; "
            "give the corpus a side column or use the persona '{profile}'"
        )
    filled = template.format(user=user.user_id, side=user.side or "", profile=user.profile)
    return clean_text(filled)


def _check_template(template: str) -> None:
    try:
        fields = list(Formatter().parse(template))
    except ValueError as error:
        raise PopulationError(f"persona: {template!r}: {error}; write literal braces twice") from error
    for _, field, spec, conversion in fields:
        if field is None:
            continue
        if field not in PERSONA_FIELDS or spec or conversion:
            raise PopulationError(
                f"persona: {template!r} has the unknown field {{{field}}}; "
                f"expected {', '.join(f'{{{f}}}' for f in PERSONA_FIELDS)}"
            )
