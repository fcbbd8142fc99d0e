"""Errors of the simulation side, and the table of all errors that are a user's to mend."""

from __future__ import annotations

from adapters.errors import AdapterError
from agents.errors import AgentsError
from metrics.errors import MetricsError


class SimError(Exception):
    """Root of everything that the `sim` package raises on purpose."""


class ScenarioError(SimError):
    """A scenario that is not valid; the message has one line for each problem."""


class PlatformError(SimError):
    """The platform cannot be made or seeded as asked, or did what it never should; says where."""


class FeedError(SimError):
    """A feed policy that does not exist, or a measure of it out of range."""


class RunDirError(SimError):
    """A run directory that is missing, taken, locked, unfinished or damaged."""


class GraphError(SimError):
    """A file of edges or labels that cannot be read as asked; names file, line and column."""


class RunAgentError(SimError):
    """An agent or a cell that a run does not have, or nothing of it yet; says what there is."""


class InterviewError(SimError):
    """An interview that cannot be held or kept as asked."""


class LabError(SimError):
    """A result file that cannot be read or written as asked; names file and key."""


class SeriesError(SimError):
    """A file of real opinions that cannot be read as asked; names file, line and column."""


USER_ERRORS: tuple[type[Exception], ...] = (
    SimError,
    AgentsError,
    AdapterError,
    MetricsError,
)
"""The command line prints these as one message without a traceback and exits with 2."""
