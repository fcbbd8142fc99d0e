"""How people point at a revision: by name, by tag, by `name@prefix`, by id or the beginning of an id."""

from __future__ import annotations

import difflib
import re
import sqlite3

from adapters.errors import StoreError, UnknownAdapterError
from adapters.store import queries
from adapters.store.canonical import is_sha256

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ID_PREFIX = re.compile(r"[0-9a-f]{8,64}")
_SHOWN_DIGITS = 12
_MOST_SHOWN = 5
_NEIGHBOURS = 500


def check_name(name: str) -> str:
    """`name` itself, when it is fit to be one.

    Raises:
        StoreError: for upper case, spaces, slashes, emptiness, more than 64 characters, or a revision's form.
    """
    if not _NAME.fullmatch(name) or is_sha256(name):
        raise StoreError(
            f"name: got {name!r}; expected 1 to 64 characters of a-z, 0-9, '.', '_' and '-', beginning with "
            f"a letter or digit, and not a revision id. People's own names and texts do not belong in names: "
            f"use an id such as user-0007."
        )
    return name


def check_not_tag(db: sqlite3.Connection, name: str) -> None:
    """Keep names and tags apart, so that each means one thing.

    Raises:
        StoreError: when `name` is a tag already.
    """
    if revision := queries.tagged(db, name):
        raise StoreError(
            f"name: {name!r} is a tag in this store, on revision {revision}; choose another name"
        )


def resolve(db: sqlite3.Connection, ref: str) -> str:
    """The revision that `ref` means: a full id, else a name's head, a tag, `name@prefix`, an id's beginning.

    `prefix` after `@` is looked for in the history of that name and may be of any length; alone, an id's
    beginning needs 8 hex digits.

    Raises:
        UnknownAdapterError: when it means nothing, with names that are spelt alike, or when it means several.
    """
    if is_sha256(ref) and queries.revision_row(db, ref):
        return ref
    name, at, prefix = ref.partition("@")
    if at:
        return _only(queries.history_starting_with(db, name, prefix) if prefix else [], db, ref)
    if standing := queries.head(db, ref):
        return standing[1]
    if revision := queries.tagged(db, ref):
        return revision
    found = queries.revisions_starting_with(db, ref, _MOST_SHOWN + 1) if _ID_PREFIX.fullmatch(ref) else []
    return _only(found, db, ref)


def _only(found: list[str], db: sqlite3.Connection, ref: str) -> str:
    match found:
        case [revision]:
            return revision
        case []:
            raise UnknownAdapterError(
                f"{ref!r}: no such name, tag or revision in this store. {_hint(db, ref)}"
            )
        case _:
            shown = ", ".join(r[:_SHOWN_DIGITS] for r in found[:_MOST_SHOWN])
            more = ", ..." if len(found) > _MOST_SHOWN else ""
            raise UnknownAdapterError(f"{ref!r}: means several revisions: {shown}{more}. Give more digits.")


def _hint(db: sqlite3.Connection, ref: str) -> str:
    name = ref.partition("@")[0]
    if name != ref and queries.head(db, name):
        return (
            f"{name!r} exists, but no revision of its history begins so; "
            f"`plures adapters list --history` shows them."
        )
    close = difflib.get_close_matches(name, queries.names_near(db, name, _NEIGHBOURS), n=_MOST_SHOWN)
    if close:
        return f"Did you mean {', '.join(close)}?"
    return "`plures adapters list` shows what there is."
