import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from agents.errors import CorpusError
from agents.rows import Row, open_rows


def database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def test_parquet_yields_the_columns_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"user": ["ana", None], "n": [1, 2], "wide": [0.5, 0.5]}).to_parquet(path)
    source = open_rows(path)
    assert source.names == ("user", "n", "wide")
    assert list(source.read(("user", "n"))) == [
        Row(1, {"user": "ana", "n": 1}),
        Row(2, {"user": None, "n": 2}),
    ]
    assert source.place(2) == "a.parquet, row 2"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_parquet_times_come_as_times_in_any_unit(tmp_path: Path, unit: str, zone: str | None) -> None:
    path = tmp_path / "a.parquet"
    moment = datetime(2016, 3, 1, 12, 0, 0, tzinfo=UTC if zone else None)
    pd.DataFrame({"time": pd.Series([moment]).dt.as_unit(unit)}).to_parquet(path)  # type: ignore[arg-type]
    assert list(open_rows(path).read(("time",))) == [Row(1, {"time": moment})]


@pytest.mark.parametrize("cut", [slice(0, 40), slice(4, None)])
def test_a_damaged_parquet_is_refused(tmp_path: Path, cut: slice) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"user": ["ana"]}).to_parquet(path)
    path.write_bytes(path.read_bytes()[cut])
    with pytest.raises(CorpusError, match=r"a\.parquet: (not a sound Parquet|unreadable|cannot be read)"):
        list(open_rows(path).read(("user",)))


@pytest.mark.parametrize("name", ["a.db", "a.sqlite", "a #?%.sqlite3"])
def test_sqlite_yields_its_only_table(tmp_path: Path, name: str) -> None:
    path = database(
        tmp_path / name, 'CREATE TABLE t (u, "a ""b""")', "INSERT INTO t VALUES ('x', 1), (NULL, 2)"
    )
    source = open_rows(path)
    assert source.names == ("u", 'a "b"')
    assert list(source.read(('a "b"', "u"))) == [
        Row(1, {'a "b"': 1, "u": "x"}),
        Row(2, {'a "b"': 2, "u": None}),
    ]


def test_sqlite_with_several_tables_wants_a_name_and_views_count(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", "CREATE TABLE t (u)", "CREATE VIEW v AS SELECT 1 AS u")
    with pytest.raises(CorpusError, match=r"which table\? The database has 't', 'v'"):
        open_rows(path)
    with pytest.raises(CorpusError, match="no table 'x'; the database has 't', 'v'"):
        open_rows(path, "x")
    assert list(open_rows(path, "v").read(("u",))) == [Row(1, {"u": 1})]


def test_a_database_without_tables_says_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="The database has none"):
        open_rows(database(tmp_path / "a.db", "CREATE TABLE t (u)", "DROP TABLE t"))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("user,text\n" * 1_000)
    with pytest.raises(CorpusError, match="not a sound SQLite database"):
        open_rows(path)


def test_sqlite_text_that_is_not_utf_8_is_named_by_its_row(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a.db", "CREATE TABLE t (u)", "INSERT INTO t VALUES ('x'), (CAST(x'fc' AS TEXT))"
    )
    with pytest.raises(CorpusError, match=r"table 't', row 2: .*UTF-8"):
        list(open_rows(path).read(("u",)))


def test_reading_a_database_leaves_it_as_it_is(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", "CREATE TABLE t (u)")
    before = path.read_bytes()
    list(open_rows(path).read(("u",)))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.db"]
