"""Transcripts: RUN/interviews/SESSION.jsonl, one line for each exchange, only ever added to.

They are no part of the run's results: nothing that measures or resumes a run reads them. A line carries all that
an answer rests on, so it can be asked for again. Reading needs neither model nor engine.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sim.errors import InterviewError
from sim.interview.exchange import Exchange

FOLDER = "interviews"
FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def new_session() -> str:
    """A name that nobody has: the time in UTC, then six digits that tell equal times apart."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


class Transcript:
    """One conversation on disk.

    Args:
        run: the run's folder.
        session: lower-case letters, digits, `-` and `_`.

    Raises:
        InterviewError: for a name that no file should have.
    """

    def __init__(self, run: Path, session: str) -> None:
        if not _NAME.fullmatch(session):
            raise InterviewError(
                f"session: got {session!r}; expected lower-case letters, digits, '-' and '_', at most 64"
            )
        self.session = session
        self.path = run / FOLDER / f"{session}.jsonl"

    def make_room(self) -> None:
        """Try now whether exchanges can be kept, before a model is loaded for them.

        Raises:
            InterviewError: when the run cannot be written.
        """
        try:
            self.path.parent.mkdir(exist_ok=True)
            if not os.access(self.path if self.path.exists() else self.path.parent, os.W_OK):
                raise PermissionError("no permission to write")
        except OSError as error:
            raise InterviewError(
                f"{self.path.parent}: interviews are kept here, but it cannot be written "
                f"({error.strerror or error}). Interview a copy of the run that you may write."
            ) from error

    def append(self, scene: Mapping[str, Any], exchange: Exchange) -> None:
        """Add one line, whole and on disk when this returns.

        Args:
            scene: the circumstances, the same in every line of a conversation.
            exchange: what was said.
        """
        record = {
            "format": FORMAT,
            "session": self.session,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            **scene,
            **exchange.as_plain(),
        }
        line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
        with self.path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)  # drops a line that a killed writer left unfinished
            file.write(line.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Every line, the first exchange first; a last line that is still being written is passed over.

        Raises:
            InterviewError: for a line that is none of ours.
        """
        if not self.path.exists():
            return []
        whole = self.path.read_bytes().split(b"\n")[:-1]
        return [self._record(number, line) for number, line in enumerate(whole, 1)]

    def exchanges(self) -> list[Exchange]:
        """What was said so far.

        Raises:
            InterviewError: as `read`.
        """
        return [Exchange.from_plain(record) for record in self.read()]

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line)
            Exchange.from_plain(record)
        except (ValueError, KeyError, TypeError) as error:
            raise InterviewError(
                f"{self.path}:{number}: no exchange of an interview ({error}). Move the file away."
            ) from error
        if record.get("format") != FORMAT:
            raise InterviewError(
                f"{self.path}:{number}: format {record.get('format')!r}; this Plures reads {FORMAT}. Upgrade."
            )
        return dict(record)


def sessions(run: Path) -> list[str]:
    """Names of the conversations that were held in a run, the oldest first."""
    files = [file for file in (run / FOLDER).glob("*.jsonl") if _NAME.fullmatch(file.stem)]
    return [file.stem for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name))]
