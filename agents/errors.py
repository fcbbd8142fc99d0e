"""Errors of the agents side; each message names the file or value, what was expected and the cure."""

from __future__ import annotations


class AgentsError(Exception):
    """Root of everything that the `agents` package raises on purpose."""


class CorpusError(AgentsError):
    """A corpus that cannot be read, or from which nothing usable remains."""


class PopulationError(AgentsError):
    """A population that cannot be drawn as asked (too few users, a side missing, a bad edge list)."""


class OpinionError(AgentsError):
    """Opinions or parameters that an opinion model is not defined for, or a series that it cannot be fitted to."""


class JudgementError(AgentsError):
    """A language model that cannot be asked for the stance of a text as wanted."""


class DecisionError(AgentsError):
    """A reply that is no decision; `kind` goes to the ledger."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
