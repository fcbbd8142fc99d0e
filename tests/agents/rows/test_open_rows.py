from pathlib import Path

import pytest

from agents.errors import CorpusError
from agents.rows import open_rows


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"a\.jsonl: no such file"):
        open_rows(tmp_path / "a.jsonl")
    with pytest.raises(CorpusError, match="a folder, not a file"):
        open_rows(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "a.db", "a.jsonl.gz"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(CorpusError, match="is empty"):
        open_rows(tmp_path / name)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "a.parquet.gz"])
def test_an_unknown_ending_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(CorpusError, match=r"unknown ending .*\.jsonl, .*\.parquet, \.sqlite"):
        open_rows(tmp_path / name)


def test_endings_are_read_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "A.CSV").write_text("a\n1\n")
    assert open_rows(tmp_path / "A.CSV").names == ("a",)


def test_a_table_is_refused_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(CorpusError, match="only SQLite files have tables"):
        open_rows(tmp_path / "a.csv", "t")
