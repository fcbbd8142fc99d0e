import pytest

from agents.columns import USUAL_NAMES, Columns, resolve_columns
from agents.errors import CorpusError

NEEDED = ("user", "text", "time")


def resolve(found: list[str], **asked: str) -> Columns:
    return resolve_columns(Columns(**asked), found, "posts.csv", NEEDED)


def test_usual_names_are_found_in_any_case() -> None:
    found = resolve(["Author", " Created_At ", "BODY", "Party", "n"])
    assert found == Columns(user="Author", text="BODY", time=" Created_At ", side="Party")
    assert found.used == ("Author", "BODY", " Created_At ", "Party")


def test_a_named_column_goes_before_the_usual_one() -> None:
    assert resolve(["user_id", "text", "raw", "time"], text="raw").text == "raw"


def test_no_name_is_usual_for_two_fields() -> None:
    names = [name for usual in USUAL_NAMES.values() for name in usual]
    assert len(names) == len(set(names))


def test_an_absent_column_lists_what_was_found_and_expected() -> None:
    with pytest.raises(
        CorpusError, match=r"no column for the text; found 'user', 'time', expected one of text,"
    ):
        resolve(["user", "time"])


def test_two_candidates_are_an_error_that_shows_the_cure() -> None:
    with pytest.raises(
        CorpusError, match=r"'text', 'content' could all be the text.*columns: \{text: text\}"
    ):
        resolve(["user", "time", "text", "content"])


def test_a_misspelt_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(CorpusError, match=r"columns.side: no column 'partei'.*Did you mean 'partie'"):
        resolve(["user", "time", "text", "partie"], side="partei")


def test_one_column_cannot_be_two_things() -> None:
    with pytest.raises(CorpusError, match="'text' is taken for text and profile"):
        resolve(["user", "time", "text"], profile="text")


def test_a_wide_file_is_not_listed_in_full() -> None:
    with pytest.raises(CorpusError, match="and 30 more"):
        resolve([f"c{n}" for n in range(50)])
