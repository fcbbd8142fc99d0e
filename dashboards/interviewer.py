"""The process that answers interview questions of one run, so that the dashboard itself never loads a model."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import streamlit as st

from sim.errors import InterviewError

START_SECONDS = 240.0
"""For loading the base, or starting a server of the run's own."""
ANSWER_SECONDS = 120.0
STOP_SECONDS = 5.0
_LAST_WORDS = 5


class Interviewer:
    """Keeps `plures interview RUN --serve` alive: started with the first question, and again after it has died.

    Safe to share between threads: questions wait for each other.

    Args:
        command: of the process; it talks as `sim.interview.serving` says.
        start_seconds: how long it may take to become ready.
        answer_seconds: how long an answer may take; a process that takes longer is ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        start_seconds: float = START_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._command = list(command)
        self._start_seconds, self._answer_seconds = start_seconds, answer_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._stderr: IO[bytes] | None = None
        self._asked = 0

    @property
    def alive(self) -> bool:
        """Whether the process runs, so that an answer needs no loading."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Of the process, while it runs."""
        return self._process.pid if self._process is not None and self.alive else None

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Put a question.

        Args:
            question: the keys of `sim.interview.serving.Asked`, but for `id`.

        Returns:
            `session` and `exchange`.

        Raises:
            InterviewError: for a question that was refused, or a process that did not start, died or fell silent.
        """
        with self._lock:
            if not self.alive:
                self._start()
            assert self._process is not None
            assert self._process.stdin is not None
            self._asked += 1
            try:
                self._process.stdin.write(json.dumps({"id": self._asked, **question}) + "\n")
                self._process.stdin.flush()
            except OSError as error:
                raise InterviewError(self._obituary("ended before it was asked")) from error
            answer = self._receive(self._answer_seconds)
            if "error" in answer:
                raise InterviewError(str(answer["error"]))
            return answer

    def close(self) -> None:
        """End the process; a later question starts another."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        self._end()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            encoding="utf-8",
        )
        self._lines = SimpleQueue()
        reader = threading.Thread(
            target=_pass_on, args=(self._process.stdout, self._lines), name="interviewer", daemon=True
        )
        reader.start()
        first = self._receive(self._start_seconds)
        if "ready" not in first:
            self._end()
            raise InterviewError(str(first.get("error", "the interviewer gave no sign of being ready")))

    def _receive(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except Empty as error:
            assert self._process is not None
            self._process.kill()  # it does not listen
            self._end()
            raise InterviewError(
                f"No answer within {seconds:.0f} seconds, so the interviewer's process was ended. Ask again to start "
                "another."
            ) from error
        if line is None:
            raise InterviewError(self._obituary("died"))
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError as error:
            self._end()
            raise InterviewError(f"The interviewer's process said {line[:200]!r}; expected JSON.") from error
        return answer

    def _obituary(self, how: str) -> str:
        """What is known of a process that is gone; it is put away."""
        process, said = self._process, ""
        if self._stderr is not None:
            self._stderr.seek(0)
            lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
            said = "\n".join(lines[-_LAST_WORDS:])
        self._end()
        status = process.returncode if process is not None else None
        return f"The interviewer's process {how} (exit status {status}). Ask again to start another.\n{said}".rstrip()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            try:
                process.stdin.close()  # the end of input is the end of its work
            except OSError:
                process.kill()  # the pipe is broken: nobody reads it any more
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None


@st.cache_resource(scope="session", max_entries=1, on_release=Interviewer.close, show_spinner=False)
def interviewer(run: Path, store: Path) -> Interviewer:
    """The interviewer of a run: one a browser session, ended with it, or when another run is interviewed."""
    code = "from sim.cli.app import main; main()"
    return Interviewer([sys.executable, "-c", code, "interview", str(run), "--serve", "--store", str(store)])


def _pass_on(stream: IO[str] | None, lines: SimpleQueue[str | None]) -> None:
    """Every line as it comes, then None for the end."""
    assert stream is not None
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
