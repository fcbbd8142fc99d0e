"""The platform's content as DataFrames, from an open database or from a file. Needs no OASIS."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sim.errors import RunDirError

# pandas type of every column, under the name of its SQL table; `Int64` and `object` may be missing.
_USERS = {"user_id": "int64", "user_name": "object", "name": "object", "bio": "object"}
_POSTS = {
    "post_id": "int64",
    "user_id": "int64",
    "original_post_id": "Int64",
    "content": "object",
    "quote_content": "object",
    "created_at": "int64",
    "num_likes": "int64",
    "num_dislikes": "int64",
    "num_shares": "int64",
}
_MARKS = {"user_id": "int64", "post_id": "int64", "created_at": "int64"}
_COMMENTS = {
    "comment_id": "int64",
    "post_id": "int64",
    "user_id": "int64",
    "content": "object",
    "created_at": "int64",
}
_FOLLOWS = {"follower_id": "int64", "followee_id": "int64", "created_at": "int64"}


class PlatformTables(NamedTuple):
    """Everything on the platform, in the order in which it happened. `created_at` is the step, 0 for seeds.

    A repost has an `original_post_id` and no `quote_content`; a quote has both, and its `content` repeats the
    quoted text. Counts of likes, dislikes and shares stand with the original, never with a repost.
    """

    users: pd.DataFrame
    """user_id, user_name, name, bio"""
    posts: pd.DataFrame
    """post_id, user_id, original_post_id, content, quote_content, created_at, num_likes, num_dislikes,
    num_shares"""
    likes: pd.DataFrame
    """user_id, post_id, created_at"""
    dislikes: pd.DataFrame
    """user_id, post_id, created_at"""
    comments: pd.DataFrame
    """comment_id, post_id, user_id, content, created_at"""
    follows: pd.DataFrame
    """follower_id, followee_id, created_at"""


def frames(database: sqlite3.Connection) -> PlatformTables:
    """Read all tables from an open database.

    Raises:
        sqlite3.Error: when it is damaged, or no platform's database.
    """
    return PlatformTables(
        users=_frame(database, "user", _USERS),
        posts=_frame(database, "post", _POSTS),
        likes=_frame(database, "like", _MARKS),
        dislikes=_frame(database, "dislike", _MARKS),
        comments=_frame(database, "comment", _COMMENTS),
        follows=_frame(database, "follow", _FOLLOWS),
    )


def _frame(database: sqlite3.Connection, table: str, types: dict[str, str]) -> pd.DataFrame:
    rows = database.execute(f'SELECT {", ".join(types)} FROM "{table}" ORDER BY rowid').fetchall()
    return pd.DataFrame.from_records(rows, columns=list(types)).astype(types)


def read_tables(path: Path | str) -> PlatformTables:
    """Read all tables from a database file, which is opened for reading only.

    Raises:
        RunDirError: when the file is missing, damaged, or no platform's database.
    """
    with open_database(path) as database:
        return frames(database)


@contextmanager
def open_database(path: Path | str) -> Iterator[sqlite3.Connection]:
    """Open a platform's database file for reading only.

    Raises:
        RunDirError: when the file is missing, or reading it inside the `with` block shows that it is damaged.
    """
    file = Path(path)
    if not file.is_file():
        raise RunDirError(f"{path}: no such file; expected the database of a cell, platform.db")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            yield database
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise RunDirError(
            f"{path}: no readable platform database ({error}). Delete the cell's folder, then resume."
        ) from error
