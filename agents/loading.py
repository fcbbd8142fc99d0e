"""A corpus from files: every row checked, everything left out counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agents.columns import Columns, resolve_columns
from agents.corpus import Corpus, Post, User
from agents.errors import CorpusError
from agents.exclusions import Exclusions, Reason
from agents.records import Person, RecordError, read_person, read_record
from agents.rows import BadRow, Row, RowSource, open_rows
from agents.text import clean_text


@dataclass
class _Draft:
    """One user while the file is being read; places say where a fact was first met."""

    side: str | None = None
    side_place: str = ""
    profile: str = ""
    activity: float | None = None
    posts: list[tuple[str, str, int]] = field(default_factory=list)  # time, text, number of the row

    def learn(self, person: Person, place: str) -> None:
        """Take in what a row says about the user.

        Raises:
            CorpusError: when the side contradicts an earlier row.
        """
        if person.side is not None and person.side != self.side:
            if self.side is not None:
                raise CorpusError(
                    f"{place}: user {person.user_id!r} is {person.side!r} here and {self.side!r} at "
                    f"{self.side_place}; a user has one side. Correct the file or name another side column."
                )
            self.side, self.side_place = person.side, place
        self.profile = self.profile or person.profile
        self.activity = person.activity if self.activity is None else self.activity


def load_corpus(
    path: Path | str,
    *,
    columns: Columns | None = None,
    table: str | None = None,
    users: Path | str | None = None,
    min_posts: int = 1,
) -> Corpus:
    """Read the timelines of a file with one post a row.

    Rows that cannot be used are left out and counted (`Corpus.excluded`), with the first examples of each
    reason in `Corpus.warnings`. A text that a user repeats word for word counts once, at its earliest time.
    A user's side is that of any row that states one; profile and activity are the first ones stated.

    Args:
        path: JSONL, JSON, CSV or TSV (each also .gz), Parquet or SQLite, told apart by the ending.
        columns: names of its columns; None finds user, text, time and, where present, side, profile and
            activity by their usual names.
        table: SQLite only: the table to read; None takes the only one.
        users: a second file of any of these formats with one user a row (user, side, profile, activity,
            by their usual names); what it says goes before the posts' own columns, but may not
            contradict their side.
        min_posts: users with fewer posts are left out and counted, at least 1.

    Returns:
        Users in the order of their ids, posts in time order (file order where times are equal).

    Raises:
        CorpusError: for a file that cannot be read as a whole, columns that are absent or ambiguous, a user
            with two sides, or when nothing usable remains.
    """
    if min_posts < 1:
        raise ValueError(f"min_posts: got {min_posts}; expected at least 1")
    path = Path(path)
    excluded = Exclusions()
    drafts: dict[str, _Draft] = {}
    if users is not None:
        _read_users(Path(users), drafts, excluded)
    source = _opened(path, table)
    found = resolve_columns(columns or Columns(), source.names, str(path), ("user", "text", "time"))
    for row in _readable(source, found, excluded):
        try:
            record = read_record(row.values, found)
        except RecordError as error:
            excluded.add(error.reason, f"{source.place(row.number)}: {error}")
            continue
        draft = drafts.setdefault(record.person.user_id, _Draft())
        draft.learn(record.person, source.place(row.number))
        draft.posts.append((record.time, record.text, row.number))
    people = [_finished(user_id, draft, source, excluded) for user_id, draft in sorted(drafts.items())]
    kept = tuple(user for user in people if len(user.posts) >= min_posts)
    for user in people:
        if 0 < len(user.posts) < min_posts:
            excluded.add(Reason.TOO_FEW_POSTS, f"user {user.user_id!r} has {len(user.posts)} of {min_posts}")
    if not kept:
        raise CorpusError("\n".join((f"{path}: no usable user remains", *excluded.lines)))
    silent = sum(not user.posts for user in people)
    notes = (f"{silent} users of {users} have no post in {path.name}",) if silent else ()
    return Corpus(path.name.split(".")[0], kept, excluded.counts, (*excluded.lines, *notes))


def _opened(path: Path, table: str | None = None) -> RowSource:
    source = open_rows(path, table)
    if not source.names:
        problems = [row for row in source.read(()) if isinstance(row, BadRow)][:1]
        first = f"; {source.place(problems[0].number)}: {problems[0].message}" if problems else ""
        raise CorpusError(f"{path}: no row with named fields{first}")
    return source


def _readable(source: RowSource, columns: Columns, excluded: Exclusions) -> Iterator[Row]:
    for row in source.read(columns.used):
        if isinstance(row, BadRow):
            excluded.add(row.reason, f"{source.place(row.number)}: {row.message}")
        else:
            yield row


def _read_users(path: Path, drafts: dict[str, _Draft], excluded: Exclusions) -> None:
    source = _opened(path)
    columns = resolve_columns(Columns(), source.names, str(path), ("user",))
    for row in _readable(source, columns, excluded):
        place = source.place(row.number)
        try:
            person = read_person(row.values, columns)
        except RecordError as error:
            excluded.add(error.reason, f"{place}: {error}")
            continue
        drafts.setdefault(person.user_id, _Draft()).learn(person, place)


def _finished(user_id: str, draft: _Draft, source: RowSource, excluded: Exclusions) -> User:
    """The user with posts in time order, each text once."""
    draft.posts.sort(key=lambda post: post[0])
    seen: set[str] = set()
    posts = []
    for time, text, number in draft.posts:
        key = clean_text(text)
        if key in seen:
            excluded.add(
                Reason.DUPLICATE_POST, f"{source.place(number)}: {user_id!r} repeats an earlier post"
            )
            continue
        seen.add(key)
        posts.append(Post(time, text))
    return User(user_id, draft.side, draft.profile, tuple(posts), draft.activity)
