"""How people point at a revision: by name, by tag, by `name@prefix`, by id or the beginning of an id."""

from __future__ import annotations

import difflib
import re
import sqlite3
from typing import TYPE_CHECKING

from adapters.errors import StoreError, UnknownAdapterError
from adapters.store.canonical import is_sha256
from adapters.store.catalog import policies, queries

if TYPE_CHECKING:
    from adapters.store.catalog.listing import EntryFilter
    from adapters.store.catalog.policies import PolicyRecord

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_ID_PREFIX = re.compile(r"[0-9a-f]{8,64}")
_LONGEST_PERSON = 200
_SHOWN_DIGITS = 12
_MOST_SHOWN = 5
_NEIGHBOURS = 500


def check_name(name: str) -> str:
    """`name` itself, when it is fit to be one.

    Raises:
        StoreError: for upper case, spaces, slashes, emptiness, more than 80 characters, or a revision's form.
    """
    if not _NAME.fullmatch(name) or is_sha256(name):
        raise StoreError(
            f"name: got {name!r}; expected 1 to 80 characters of a-z, 0-9, '.', '_' and '-', beginning with "
            f"a letter or digit, and not a revision id. People's own names and texts do not belong in names: "
            f"use an id such as user-0007."
        )
    return name


def check_person(person: str) -> str:
    """`person` itself, when it is fit to be a person's id in a corpus, or "".

    Raises:
        StoreError: for more than one line or more than 200 characters.
    """
    if not person.isprintable() or len(person) > _LONGEST_PERSON:
        raise StoreError(
            f"person: got {person[:300]!r}; expected one line of at most {_LONGEST_PERSON} characters, "
            f"the person's id in the corpus"
        )
    return person


def resolve(db: sqlite3.Connection, ref: str) -> str:
    """The revision that `ref` means: a full id, else a name's head, a tag, `name@prefix`, an id's beginning.

    `prefix` after `@` is looked for in the history of that name and may be of any length; alone, an id's
    beginning needs 8 hex digits.

    Raises:
        UnknownAdapterError: when it means nothing, with names that are spelt alike, or when it means several.
        RetiredError: when it is the name of a record out of use; its revisions are still found by their ids.
    """
    if is_sha256(ref) and queries.revision_row(db, ref):
        return ref
    name, at, prefix = ref.partition("@")
    if at:
        return _only(policies.past_starting_with(db, name, prefix) if prefix else [], db, ref)
    if standing := policies.standing(db, ref):
        policies.check_live(ref, standing.retired_at, standing.revision)
        return standing.revision
    if revision := queries.tagged(db, ref):
        return revision
    found = queries.revisions_starting_with(db, ref, _MOST_SHOWN + 1) if _ID_PREFIX.fullmatch(ref) else []
    return _only(found, db, ref)


def named_record(db: sqlite3.Connection, name: str) -> PolicyRecord:
    """The record of a name, retired or not.

    Raises:
        UnknownAdapterError: no such record, with names that are spelt alike.
    """
    if record := policies.policy(db, name):
        return record
    if queries.tagged(db, name):
        raise UnknownAdapterError(
            f"{name!r}: is a tag, and the name of a record is expected here; `plures adapters show {name}` lists "
            f"the names that stand for its revision"
        )
    raise UnknownAdapterError(unknown(db, name))


def unknown(db: sqlite3.Connection, ref: str) -> str:
    """The message for something that means nothing in this store, with what is spelt alike."""
    return f"{ref!r}: no such name, tag or revision in this store. {_hint(db, ref)}"


def unknown_in(db: sqlite3.Connection, wanted: EntryFilter) -> list[str]:
    """One sentence for each base, tag or metric of a filter that nothing in this store has at all."""
    found = []
    bases = db.execute("SELECT name, fingerprint FROM bases ORDER BY name").fetchall()
    base = wanted.base
    if base is not None and not any(base == name or text.startswith(base) for name, text in bases):
        found.append(f"no base {base!r} here{_such_as(base, [name for name, _ in bases])}")
    if wanted.tag is not None and queries.tagged(db, wanted.tag) is None:
        tags = [row[0] for row in db.execute("SELECT tag FROM tags ORDER BY tag LIMIT ?", (_NEIGHBOURS,))]
        found.append(f"no tag {wanted.tag!r} here{_such_as(wanted.tag, tags)}")
    metrics = [row[0] for row in db.execute("SELECT name FROM metrics ORDER BY name")]
    if wanted.metric is not None and wanted.metric.metric not in metrics:
        found.append(f"no metric {wanted.metric.metric!r} here{_such_as(wanted.metric.metric, metrics)}")
    return found


def _such_as(text: str, known: list[str]) -> str:
    known = list(dict.fromkeys(known))
    if close := difflib.get_close_matches(text, known, n=_MOST_SHOWN):
        return f"; did you mean {', '.join(close)}?"
    more = ", ..." if len(known) > _MOST_SHOWN else ""
    return f"; there are {', '.join(known[:_MOST_SHOWN])}{more}" if known else ""


def _only(found: list[str], db: sqlite3.Connection, ref: str) -> str:
    match found:
        case [revision]:
            return revision
        case []:
            raise UnknownAdapterError(unknown(db, ref))
        case _:
            shown = ", ".join(r[:_SHOWN_DIGITS] for r in found[:_MOST_SHOWN])
            more = ", ..." if len(found) > _MOST_SHOWN else ""
            raise UnknownAdapterError(f"{ref!r}: means several revisions: {shown}{more}. Give more digits.")


def _hint(db: sqlite3.Connection, ref: str) -> str:
    name = ref.partition("@")[0]
    if name != ref and policies.standing(db, name):
        return (
            f"{name!r} exists, but no revision of its history begins so; "
            f"`plures adapters log {name}` shows them."
        )
    near = _names_near(db, name)
    if close := difflib.get_close_matches(name, near, n=_MOST_SHOWN) or _alike_at_the_end(name, near):
        return f"Did you mean {', '.join(close)}?"
    return "`plures adapters list` shows what there is."


def _alike_at_the_end(text: str, names: list[str]) -> list[str]:
    """Names whose part behind the last dot is spelt like `text`: who types a person's id forgets the corpus."""
    by_end: dict[str, list[str]] = {}
    for name in names:
        by_end.setdefault(name.rpartition(".")[2], []).append(name)
    ends = difflib.get_close_matches(text.rpartition(".")[2], by_end, n=_MOST_SHOWN)
    return [name for end in ends for name in by_end[end]][:_MOST_SHOWN]


def _names_near(db: sqlite3.Connection, text: str) -> list[str]:
    """Names and tags around `text` in alphabetical order."""
    found: list[str] = []
    for column, table in (("name", "records"), ("tag", "tags")):
        for side, order in ((">=", ""), ("<", "DESC")):
            query = f"SELECT {column} FROM {table} WHERE {column} {side} ? ORDER BY 1 {order} LIMIT ?"
            found += [row[0] for row in db.execute(query, (text, _NEIGHBOURS))]
    return found
