"""Reading real series: both forms, every usual notation, and mistakes named by file, line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sim.errors import SeriesError
from sim.series_input import Shares, Statements, read_series


def _file(folder: Path, text: str, name: str = "real.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_stances_of_people(tmp_path: Path) -> None:
    series = read_series(_file(tmp_path, "user_id,opinion,time\nb,0.5,2\na,-1,1\na,1,3\n"))
    assert isinstance(series, Statements)
    assert series.frame.to_numpy().tolist() == [[1.0, "a", -1.0], [2.0, "b", 0.5], [3.0, "a", 1.0]]
    assert series.classes == ()


def test_classes_are_mapped_and_written_as_floats_or_words(tmp_path: Path) -> None:
    classes = {"0": -1.0, "1": 0.0, "yes": 1.0}
    text = "user_id\topinion\ttime\n7.0\t1.0\t0.0\n7\tyes\t0.5\n"
    series = read_series(_file(tmp_path, text, "real.tsv"), classes=classes)
    assert isinstance(series, Statements)
    assert list(series.frame["user"]) == ["7", "7"]
    assert list(series.frame["value"]) == [0.0, 1.0]
    assert series.classes == (-1.0, 0.0, 1.0)


def test_shares_in_per_cent_newest_first(tmp_path: Path) -> None:
    text = "modeldate,approve_estimate,disapprove_estimate,timestamp\n1/3/2021,40,50,x\n1/2/2021,60.5,30,x\n"
    series = read_series(_file(tmp_path, text))
    assert isinstance(series, Shares)
    assert series.frame["approve"].tolist() == [0.605, 0.4]
    assert series.frame["time"].diff().tolist()[1] == 1.0
    assert (
        series.frame["time"][0] == 18629.0
    )  # days from 1970-01-01 to 2021-01-02: 51 · 365 + 13 leap days + 1


@pytest.mark.parametrize(
    "text", ["2021-01-02", "2021-01-02T00:00:00+00:00", "2021-01-02 01:00:00+01:00", "1/2/2021"]
)
def test_dates_in_every_notation_are_the_same_day(tmp_path: Path, text: str) -> None:
    series = read_series(_file(tmp_path, f"date,user,stance\n{text},a,0\n"))
    assert series.frame["time"].tolist() == [18629.0]
    assert series.dated


def test_seconds_since_1970_are_numbers_and_no_dates(tmp_path: Path) -> None:
    series = read_series(_file(tmp_path, "time,user,stance\n1609545600,a,0\n"))
    assert series.frame["time"].tolist() == [1609545600.0]
    assert not series.dated


def test_rows_are_chosen_by_value_and_time(tmp_path: Path) -> None:
    path = _file(tmp_path, "time,user,stance,party\n1,a,0,D\n2,a,0.1,R\n3,a,0.2,R\n4,a,0.3,R\n")
    series = read_series(path, where={"party": "R"}, since="2", until="3")
    assert series.frame["value"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "real.csv: empty; expected a header"),
        ("time,user,stance\n", {}, "real.csv: a header and no rows"),
        ("time,user,stance\n1,a\n", {}, "real.csv:2: 2 cells; expected 3"),
        ("time,user,stance\n1,a,0\nsoon,a,0\n", {}, "real.csv:3: time: got 'soon'; expected a number, as on"),
        ("time,user,stance\nsoon,a,0\n", {}, "real.csv:2: time: got 'soon'; expected a number, an ISO date"),
        (
            "time,user,stance\n1,a,3\n",
            {},
            r"real.csv:2: stance: got '3'; expected a number in \[-1, 1\]. Map",
        ),
        ("time,user,stance\n1,a,x\n", {"classes": {"y": 0.0}}, "got 'x'; expected one of the classes y"),
        ("time,user,stance\n1,a,x\n", {"classes": {"x": 2.0}}, "class x=2.0: expected a stance"),
        ("time,who,stance\n1,a,0\n", {}, "no column for approve, disapprove; it has time, who, stance"),
        ("time,who,x\n1,a,0\n", {"columns": {"stance": "x"}}, "no column for user"),
        ("time,user,stance\n1,a,0\n", {"columns": {"user": "who"}}, "no column 'who' for user"),
        ("time,user,stance\n1,a,0\n", {"where": {"party": "D"}}, "no column 'party' to choose rows by"),
        ("time,user,stance\n1,a,0\n", {"where": {"user": "b"}}, "no row with user=b; there are a"),
        ("time,user,stance\n1,a,0\n", {"since": "5"}, "no row between 5 and the end"),
        ("time,user,stance\n1,a,0\n", {"since": "May"}, "--since May: expected a number, as times are"),
        (
            "date,user,stance\n2021-01-02,a,0\n",
            {"until": "12"},
            "--until 12: expected an ISO date or M/D/YYYY",
        ),
        ("time,user,stance,stance\n1,a,0,1\n", {}, "two columns 'stance'; expected every name once"),
        (
            "time,user,stance\n1,a,0\n",
            {"columns": {"x": "time"}},
            "--column x=time: expected a field of time, user",
        ),
        ("time,approve,disapprove\n1,x,0\n", {}, "real.csv:2: approve: got 'x'; expected a share"),
        (
            "time,approve,disapprove\n1,60,50\n",
            {},
            "real.csv:2: approve and disapprove add up to more than 100%",
        ),
        (
            "time,approve,disapprove,subject,party\n1,60,30,Trump,D\n1,10,80,Trump,R\n",
            {},
            "real.csv:3: time: a second row for the time of line 2; expected one group. Choose .* --where party=R",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        read_series(_file(tmp_path, text), **options)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="no such file"):
        read_series(tmp_path / "nowhere.csv")
    with pytest.raises(SeriesError, match="is a folder"):
        read_series(tmp_path)
    (tmp_path / "latin.csv").write_bytes("time,user,stance\n1,Jürgen,0\n".encode("latin-1"))
    with pytest.raises(SeriesError, match="is not UTF-8"):
        read_series(tmp_path / "latin.csv")
