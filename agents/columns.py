"""Which column of a file holds what: named by the user, or found by its usual names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches

from agents.errors import CorpusError

USUAL_NAMES = {
    "user": ("user_id", "user", "userid", "author_id", "author", "username", "user_name", "screen_name"),
    "text": ("text", "content", "body", "tweet", "message", "post"),
    "time": ("time", "created_at", "timestamp", "date", "datetime", "created", "published_at"),
    "side": ("side", "label", "party", "group", "stance", "leaning"),
    "profile": ("profile", "bio", "description"),
    "activity": ("activity", "activity_rate"),
}
"""Column names that are understood without being told; upper and lower case are the same."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns in one file; None means "find it by its usual names"."""

    user: str | None = None
    text: str | None = None
    time: str | None = None
    side: str | None = None
    profile: str | None = None
    activity: str | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The names that are set, in the order of the fields."""
        named = (getattr(self, field.name) for field in fields(self))
        return tuple(name for name in named if name is not None)


def resolve_columns(asked: Columns, found: Sequence[str], source: str, needed: Sequence[str]) -> Columns:
    """Match what was asked for, and the usual names, against the columns that a file has.

    Args:
        asked: what the user named; a named column must exist.
        found: the file's columns.
        source: the file, for messages.
        needed: fields of `Columns` that the file must have; the others stay None where absent.

    Raises:
        CorpusError: for a named column that is absent, a needed one that is absent, two usual names
            side by side, or one column for two fields.
    """
    chosen: dict[str, str | None] = {}
    for field, usual in USUAL_NAMES.items():
        name = getattr(asked, field)
        if name is not None:
            chosen[field] = _named(field, name, found, source)
            continue
        matches = [column for column in found if column.strip().lower() in usual]
        if len(matches) > 1:
            raise CorpusError(
                f"{source}: columns {_listed(matches)} could all be the {field}; say which, "
                f"for example columns: {{{field}: {matches[0]}}}"
            )
        if not matches and field in needed:
            raise CorpusError(
                f"{source}: no column for the {field}; found {_listed(found)}, expected one of "
                f"{', '.join(usual)}; otherwise name it: columns: {{{field}: YOUR_NAME}}"
            )
        chosen[field] = matches[0] if matches else None
    for column in filter(None, chosen.values()):
        doubled = [field for field, name in chosen.items() if name == column]
        if len(doubled) > 1:
            raise CorpusError(f"{source}: column {column!r} is taken for {' and '.join(doubled)}; name two")
    return Columns(**chosen)


def _named(field: str, name: str, found: Sequence[str], source: str) -> str:
    if name in found:
        return name
    close = get_close_matches(name, found, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise CorpusError(f"{source}: columns.{field}: no column {name!r}; found {_listed(found)}.{hint}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "none"
