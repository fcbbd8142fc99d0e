from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InterviewError
from sim.interview.exchange import Answer, Exchange
from sim.interview.transcript import Transcript, new_session, sessions


def exchange(turn: int, text: str) -> Exchange:
    return Exchange(turn, "Why?", 7, (Answer("lora", "3f" * 32, text, "stop", "0" * 64, 10, 4, -2.5),))


@given(texts=st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_what_is_appended_is_read_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    transcript = Transcript(tmp_path_factory.mktemp("run"), "talk")
    transcript.make_room()
    said = [exchange(turn, text) for turn, text in enumerate(texts, 1)]
    for one in said:
        transcript.append({"cell": "lora-n8-s0"}, one)
    assert transcript.exchanges() == said


def test_a_line_that_is_still_being_written_is_passed_over(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path, "talk")
    transcript.make_room()
    transcript.append({}, exchange(1, "So."))
    with transcript.path.open("a") as file:
        file.write('{"format": 1, "tu')
    assert transcript.exchanges() == [exchange(1, "So.")]


def test_a_line_that_was_never_finished_spoils_no_later_one(tmp_path: Path) -> None:
    """Even where the writer was killed within a letter of two bytes."""
    transcript = Transcript(tmp_path, "talk")
    transcript.make_room()
    transcript.append({}, exchange(1, "So."))
    with transcript.path.open("ab") as file:
        file.write('{"question": "Für'.encode()[:-2])
    assert transcript.exchanges() == [exchange(1, "So.")]
    transcript.append({}, exchange(2, "Für wen?"))
    assert transcript.exchanges() == [exchange(1, "So."), exchange(2, "Für wen?")]


@pytest.mark.parametrize(
    "line", ["nonsense", "[1]", '{"format": 1}', '{"format": 1, "turn": 1, "answers": 3}']
)
def test_a_foreign_line_is_named(tmp_path: Path, line: str) -> None:
    transcript = Transcript(tmp_path, "talk")
    transcript.make_room()
    transcript.append({}, exchange(1, "So."))
    with transcript.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InterviewError, match=r"talk\.jsonl:2: no exchange of an interview"):
        transcript.read()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path, "talk")
    transcript.make_room()
    transcript.append({}, exchange(1, "So."))
    record = json.loads(transcript.path.read_text("utf-8")) | {"format": 2}
    transcript.path.write_text(json.dumps(record) + "\n", "utf-8")
    with pytest.raises(InterviewError, match="format 2; this Plures reads 1"):
        transcript.read()


@pytest.mark.parametrize("name", ["", "../up", "A", "a/b", "-a", "x" * 65])
def test_a_session_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InterviewError, match="session: got"):
        Transcript(tmp_path, name)


def test_where_nothing_can_be_kept_no_interview_begins(tmp_path: Path) -> None:
    (tmp_path / "interviews").write_text("a file in the way")
    with pytest.raises(InterviewError, match="interviews are kept here, but it cannot be written"):
        Transcript(tmp_path, "talk").make_room()


def test_sessions_have_names_of_their_own_and_are_listed(tmp_path: Path) -> None:
    assert sessions(tmp_path) == []
    names = [new_session() for _ in range(3)]
    assert len(set(names)) == 3
    for name in names:
        transcript = Transcript(tmp_path, name)
        transcript.make_room()
        transcript.append({}, exchange(1, "So."))
    (tmp_path / "interviews" / "My Notes.jsonl").write_text("of somebody else")
    assert sorted(sessions(tmp_path)) == sorted(names)
