"""How long work tells of itself, whoever watches: the terminal, a test, nobody."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Receives the progress of named tasks; `total` and `done` count the task's own unit."""

    def begin(self, task: str, total: int) -> None:
        """A task starts."""
        ...

    def advance(self, task: str, done: int, note: str = "") -> None:
        """`done` units of the task are finished in all; `note` is a short remark such as a loss."""
        ...

    def say(self, message: str) -> None:
        """A line worth keeping on the screen."""
        ...


class Silent:
    """Watches nothing."""

    def begin(self, task: str, total: int) -> None:
        """Do nothing."""

    def advance(self, task: str, done: int, note: str = "") -> None:
        """Do nothing."""

    def say(self, message: str) -> None:
        """Do nothing."""
