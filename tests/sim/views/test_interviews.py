from __future__ import annotations

from sim.views.interviews import EXCHANGE_COLUMNS, exchanges, interviews_with
from tests.sim.interview.conftest import OpenStudio, echo, own_run, studio

__all__ = ["own_run", "studio"]


def test_interviews_of_an_agent_are_listed_the_newest_first(studio: OpenStudio) -> None:
    room = studio(echo)
    assert interviews_with(room.run, "lora-n8-s0", 3) == []
    for session, agent in (("one", 3), ("two", 3), ("other", 4)):
        room.interview(agent, session=session, step=1, also=["zero"]).ask("A?")
    room.interview(3, session="one", step=1, also=["zero"]).ask("B?")
    held = interviews_with(room.run, "lora-n8-s0", 3)
    assert [(one.session, one.questions) for one in held] == [("one", 2), ("two", 1)]
    assert (held[0].step, held[0].form, held[0].also) == (1, "free", ("zero",))
    assert interviews_with(room.run, "lora-n8-s1", 3) == []


def test_every_answer_is_a_row(studio: OpenStudio) -> None:
    room = studio(echo)
    held = room.interview(3, session="talk")
    said = [held.ask(question) for question in ("A?", "B?")]
    frame = exchanges(room.run, "talk")
    assert list(frame.columns) == EXCHANGE_COLUMNS
    assert frame["turn"].tolist() == [1, 1, 2, 2]
    assert frame["answer"].tolist() == [answer.text for exchange in said for answer in exchange.answers]
    assert exchanges(room.run, "nothing").empty
