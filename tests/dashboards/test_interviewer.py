"""The interviewer's process: started late, kept, timed, and replaced when it has died. It is played by a script."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboards.interviewer import Interviewer
from sim.errors import InterviewError

Play = Callable[..., Interviewer]

_PLAYER = """
import json, os, sys, time
{before}
print(json.dumps({{"ready": {{}}}}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    {answer}
    print(json.dumps({{"id": asked["id"], "session": "s", "exchange": {{"said": asked["question"]}}}}), flush=True)
"""


@pytest.fixture
def play() -> Iterator[Play]:
    """`play(before=…, answer=…)`: an interviewer whose process runs these lines of Python."""
    made: list[Interviewer] = []

    def started(before: str = "", answer: str = "pass", **limits: float) -> Interviewer:
        code = _PLAYER.format(before=before, answer=answer)
        made.append(Interviewer([sys.executable, "-c", code], **limits))
        return made[-1]

    yield started
    for interviewer in made:
        interviewer.close()


def test_nothing_runs_before_the_first_question_and_one_process_answers_all(play: Play) -> None:
    interviewer = play()
    assert not interviewer.alive
    assert interviewer.ask({"question": "A?"})["exchange"] == {"said": "A?"}
    pid = interviewer.pid
    assert interviewer.alive
    assert interviewer.ask({"question": "é 🌊\u2028"})["exchange"] == {"said": "é 🌊\u2028"}
    assert interviewer.pid == pid


def test_closing_ends_the_process_and_a_later_question_starts_another(play: Play) -> None:
    interviewer = play()
    interviewer.ask({"question": "A?"})
    pid = interviewer.pid
    interviewer.close()
    assert not interviewer.alive
    assert interviewer.pid is None
    interviewer.ask({"question": "B?"})
    assert interviewer.pid not in (None, pid)


def test_a_process_that_was_killed_is_replaced(play: Play) -> None:
    interviewer = play()
    interviewer.ask({"question": "A?"})
    assert interviewer.pid is not None
    os.kill(interviewer.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while interviewer.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert interviewer.ask({"question": "B?"})["exchange"] == {"said": "B?"}


def test_a_death_while_asked_is_told_with_the_last_words(play: Play) -> None:
    interviewer = play(answer="sys.exit('out of memory') if asked['question'] == 'die' else None")
    with pytest.raises(InterviewError, match=r"died \(exit status 1\)[^$]*out of memory"):
        interviewer.ask({"question": "die"})
    assert not interviewer.alive
    assert interviewer.ask({"question": "again"})["exchange"] == {"said": "again"}


def test_who_falls_silent_is_ended(play: Play) -> None:
    interviewer = play(answer="time.sleep(60)", answer_seconds=0.3)
    with pytest.raises(InterviewError, match="No answer within 0 seconds"):
        interviewer.ask({"question": "A?"})
    assert not interviewer.alive


def test_who_cannot_start_says_why(play: Play) -> None:
    refusing = play(before="print(json.dumps({'error': 'no such store'}), flush=True); sys.exit(2)")
    with pytest.raises(InterviewError, match="no such store"):
        refusing.ask({"question": "A?"})
    babbling = play(before="print('Loading weights…', flush=True)")
    with pytest.raises(InterviewError, match="expected JSON"):
        babbling.ask({"question": "A?"})
    slow = play(before="time.sleep(60)", start_seconds=0.3)
    with pytest.raises(InterviewError, match="No answer within"):
        slow.ask({"question": "A?"})
    assert not (refusing.alive or babbling.alive or slow.alive)


def test_a_refused_question_ends_nothing(play: Play) -> None:
    refusal = "print(json.dumps({'id': asked['id'], 'error': 'no agent'}), flush=True); continue"
    interviewer = play(answer=f"if asked['question'] == 'bad': {refusal}")
    with pytest.raises(InterviewError, match="no agent"):
        interviewer.ask({"question": "bad"})
    assert interviewer.ask({"question": "good"})["exchange"] == {"said": "good"}


def test_what_it_says_beside_its_answers_is_kept_out_of_the_way(play: Play, tmp_path: Path) -> None:
    """A library that fills standard error does not stop the process: nobody needs to read it."""
    interviewer = play(answer="sys.stderr.write('x' * 1_000_000); sys.stderr.flush()")
    assert interviewer.ask({"question": "A?"})["exchange"] == {"said": "A?"}
