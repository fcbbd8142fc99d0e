"""Reading the platform back: from a live one and from a file, without OASIS, with clear errors."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from agents.decision import Action, Decision
from sim.errors import RunDirError
from sim.platform import Account, Platform
from sim.platform_tables import PlatformTables, read_tables

COLUMNS = {
    "users": ["user_id", "user_name", "name", "bio"],
    "posts": [
        *("post_id", "user_id", "original_post_id", "content", "quote_content"),
        *("created_at", "num_likes", "num_dislikes", "num_shares"),
    ],
    "likes": ["user_id", "post_id", "created_at"],
    "dislikes": ["user_id", "post_id", "created_at"],
    "comments": ["comment_id", "post_id", "user_id", "content", "created_at"],
    "follows": ["follower_id", "followee_id", "created_at"],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A snapshot with one of everything."""
    path = tmp_path / "a cell #1?" / "platform.db"
    with Platform.open(":memory:", [Account("ana"), Account("ben")]) as platform:
        platform.seed_posts([(0, "cheese")])
        platform.apply_all(
            1,
            [
                (1, Decision(Action.LIKE_POST, post_id=1)),
                (1, Decision(Action.DISLIKE_POST, post_id=1)),
                (1, Decision(Action.CREATE_COMMENT, post_id=1, content="yes")),
                (1, Decision(Action.REPOST, post_id=1)),
                (1, Decision(Action.QUOTE_POST, post_id=1, content="look")),
                (1, Decision(Action.FOLLOW, followee_id=0)),
            ],
        )
        platform.snapshot(path)
    return path


def test_a_file_and_the_live_platform_give_the_same_tables(file: Path) -> None:
    with Platform.restore(file) as platform:
        for live, read in zip(platform.tables(), read_tables(file), strict=True):
            pd.testing.assert_frame_equal(live, read)


def test_columns_are_those_of_the_contract(file: Path) -> None:
    tables = read_tables(file)
    assert {name: list(getattr(tables, name)) for name in PlatformTables._fields} == COLUMNS
    assert all(len(frame) for frame in tables)


def test_empty_tables_keep_their_types(file: Path) -> None:
    with Platform.open(":memory:", [Account("ana")]) as platform:
        for empty, filled in zip(platform.tables(), read_tables(file), strict=True):
            pd.testing.assert_series_equal(empty.dtypes, filled.dtypes)


def test_only_originals_lack_an_original(file: Path) -> None:
    posts = read_tables(file).posts
    assert posts.original_post_id.isna().tolist() == [True, False, False]
    assert posts.quote_content.isna().tolist() == [True, True, False]


def test_reading_leaves_the_file_and_its_folder_as_they_were(file: Path) -> None:
    before = file.read_bytes()
    read_tables(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match=r"platform\.db: no such file"):
        read_tables(tmp_path / "platform.db")


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "platform.db").write_text("hello " * 1000)
    with pytest.raises(RunDirError, match=r"platform\.db: no readable platform database .*not a database"):
        read_tables(tmp_path / "platform.db")


def test_another_database_is_named(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE cats (name)")
    other.close()
    with pytest.raises(RunDirError, match=r"other\.db: no readable platform database .*no such table"):
        read_tables(tmp_path / "other.db")


def test_a_truncated_file_is_named(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 3 * 4096])
    with pytest.raises(RunDirError, match="no readable platform database"):
        read_tables(file)
    with pytest.raises(RunDirError, match="no readable platform database"):
        Platform.restore(file)
