from __future__ import annotations

import json
from typing import Any

from sim.errors import InterviewError
from sim.interview import Studio
from sim.interview.serving import serve
from tests.sim.interview.conftest import OpenStudio, echo


def talk(studio: Studio, *lines: str) -> list[dict[str, Any]]:
    said: list[str] = []
    assert serve(lambda: studio, lines, said.append)
    assert all("\n" not in line for line in said)
    return [json.loads(line) for line in said]


def test_questions_are_answered_in_order_under_their_ids(studio: OpenStudio) -> None:
    ready, first, second = talk(
        studio(echo),
        '{"id": 7, "agent": "3", "question": "A?", "session": "talk"}\n',
        "\n",
        '{"id": 8, "agent": "3", "question": "B?", "session": "talk", "also": ["zero"]}\n'.replace(
            ', "also": ["zero"]', ""
        ),
    )
    assert ready["ready"]["base"]["toy"] is True
    assert (first["id"], second["id"]) == (7, 8)
    assert first["session"] == "talk"
    assert (first["exchange"]["turn"], second["exchange"]["turn"]) == (1, 2)


def test_a_bad_line_is_answered_and_ends_nothing(studio: OpenStudio) -> None:
    _, *answers = talk(
        studio(echo),
        "no json",
        '{"id": 1, "agent": "3"}',
        '{"id": 2, "agent": "nobody", "question": "A?"}',
        '{"id": 3, "agent": "3", "question": "A?", "session": "../up"}',
        '{"id": 4, "agent": "3", "question": "A?", "mood": "good"}',
        '{"id": 5, "agent": "3", "question": "A?", "seed": -1}',
        '{"id": 6, "agent": "3", "question": "A?"}',
    )
    assert [sorted(answer) for answer in answers] == [["error", "id"]] * 6 + [["exchange", "id", "session"]]
    assert [answer["id"] for answer in answers] == [None, None, 2, 3, None, None, 6]
    assert "question" in answers[1]["error"]
    assert "no agent 'nobody'" in answers[2]["error"]


def test_a_studio_that_cannot_be_opened_says_why() -> None:
    def broken() -> Studio:
        raise InterviewError("no adapters here")

    said: list[str] = []
    assert not serve(broken, [], said.append)
    assert [json.loads(line) for line in said] == [{"error": "no adapters here"}]
