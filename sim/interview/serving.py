"""Interviews over a pipe: one JSON object a line in, one a line out, so that whoever asks need load no model.

    out   {"ready": {"base": {...}}}                                       or {"error": "..."} and the end
    in    {"id": 1, "agent": "ana", "question": "…", "session": "s1", "cell": "lora-n64-s0", "step": 5, "also": []}
    out   {"id": 1, "session": "s1", "exchange": {...}}                     or {"id": 1, "error": "..."}

Only `id`, `agent` and `question` are needed. An error of one question ends nothing; the end of input does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from pydantic import Field, ValidationError

from agents.interview import Form
from sim.block import Block
from sim.errors import USER_ERRORS
from sim.interview.interview import Interview
from sim.interview.studio import Studio

Say = Callable[[str], None]
"""Writes one line and sends it off."""

_MENDABLE: tuple[type[Exception], ...] = (*USER_ERRORS, OSError)


class Asked(Block):
    """One line of input."""

    id: int
    """Comes back with the answer."""
    agent: str
    """Handle, agent id or user id."""
    question: str
    """To every voice."""
    session: str | None = None
    """Of an interview to begin or to go on with; null begins one."""
    cell: str | None = None
    """Such as `lora-n64-s0`; null takes the first."""
    step: int | None = None
    """The moment; null takes the last."""
    also: tuple[str, ...] = ()
    """Further conditions."""
    seed: int = Field(default=0, ge=0)
    """Of the answers."""
    form: Form = "free"
    """`free` or `post`."""


def serve(open_studio: Callable[[], Studio], lines: Iterable[str], say: Say) -> bool:
    """Answer until the input ends.

    Args:
        open_studio: loads what is needed.
        lines: of input.
        say: takes lines of output.

    Returns:
        Whether the studio could be opened.
    """
    try:
        studio = open_studio()
    except _MENDABLE as error:
        say(json.dumps({"error": str(error)}))
        return False
    with closing(studio):
        say(json.dumps({"ready": {"base": studio.base}}))
        for line in lines:
            if line.strip():
                say(json.dumps(_answer(studio, line)))
    return True


def _answer(studio: Studio, line: str) -> dict[str, Any]:
    number: int | None = None
    try:
        asked = Asked.model_validate_json(line)
        number = asked.id
        interview = _interview(studio, asked)
        exchange = interview.ask(asked.question)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "line"
        return {"id": number, "error": f"{where}: {first['msg']}"}
    except _MENDABLE as error:
        return {"id": number, "error": str(error)}
    return {"id": number, "session": interview.transcript.session, "exchange": exchange.as_plain()}


def _interview(studio: Studio, asked: Asked) -> Interview:
    """Anew for every question: the transcript remembers, and what a running cell has finished may have grown."""
    return studio.interview(
        asked.agent,
        cell=asked.cell,
        step=asked.step,
        also=asked.also,
        session=asked.session,
        seed=asked.seed,
        form=asked.form,
    )
