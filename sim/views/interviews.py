"""Interviews that were held in a run, as their transcripts have them."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from sim.interview.transcript import Transcript, sessions
from sim.run_dir import RunDir

EXCHANGE_COLUMNS = ["turn", "question", "voice", "adapter", "answer", "finish_reason", "seed"]


class Held(NamedTuple):
    """One interview.

    Args:
        session: its name.
        begun: when, in UTC, ISO 8601.
        step: the moment, after that step.
        form: of the answers, `free` or `post`.
        also: conditions that answer beside those that always do.
        questions: asked so far.
    """

    session: str
    begun: str
    step: int
    form: str
    also: tuple[str, ...]
    questions: int


def interviews_with(run: RunDir, cell: str, agent_id: int) -> list[Held]:
    """Interviews with one agent of one cell, the newest first.

    Raises:
        InterviewError: for a transcript that is none.
    """
    held = []
    for session in reversed(sessions(run.path)):
        records = Transcript(run.path, session).read()
        if records and (records[0]["cell"], records[0]["agent_id"]) == (cell, agent_id):
            first = records[0]
            form, also = first["style"]["form"], tuple(first["also"])
            held.append(Held(session, first["at"], first["step"], form, also, len(records)))
    return held


def exchanges(run: RunDir, session: str) -> pd.DataFrame:
    """Every answer of an interview, in order.

    Returns:
        Columns of `EXCHANGE_COLUMNS`: adapter is missing for the bare base; an answer that failed holds its error, and
        `finish_reason` says `error`.

    Raises:
        InterviewError: for a transcript that is none.
    """
    return pd.DataFrame(
        [
            (
                exchange.turn, exchange.question, answer.voice, answer.adapter, answer.error or answer.text,
                answer.finish_reason, exchange.seed,
            )
            for exchange in Transcript(run.path, session).exchanges()
            for answer in exchange.answers
        ],
        columns=EXCHANGE_COLUMNS,
    )  # fmt: skip
