"""Errors of the adapter side; each message names the file or value, what was expected and the cure."""

from __future__ import annotations


class AdapterError(Exception):
    """Root of everything that the `adapters` package raises on purpose."""


class BaseModelError(AdapterError):
    """A base model that is missing, unreadable or of an unsupported kind."""


class BaseMismatchError(AdapterError):
    """An adapter meets a base, rank or target layout it was not made for."""


class CorruptAdapterError(AdapterError):
    """Adapter files that are truncated, altered or not what their manifest says."""


class UnknownAdapterError(AdapterError):
    """A name, tag or revision that the store does not hold."""


class TrainingError(AdapterError):
    """Training data or settings that cannot work."""


class BudgetExceededError(AdapterError):
    """A metered engine has spent what it was given."""


class StoreError(AdapterError):
    """A store that is missing, busy, full, read-only, damaged or newer than this version; or a bad name."""


class LostLeaseError(StoreError):
    """A writer of a session that another one replaced; what it meant to write was not written."""


class InvalidAdapterError(AdapterError):
    """An adapter that must not be published: non-finite values, a wrong dtype, shapes that contradict its spec."""


class UnsupportedAdapterError(AdapterError):
    """An adapter that is intact, but of a kind that plain stacked LoRA cannot answer for."""


class GrammarError(AdapterError):
    """A regular expression that cannot constrain replies."""


class NotReadyError(AdapterError):
    """A revision that may not serve now; the same request may be sent again later.

    Args:
        message: why, and what to do.
        retry_after: seconds after which asking again is worthwhile.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RetiredError(AdapterError):
    """A record or revision that was taken out of use; the message says how to take it back."""


class StateError(AdapterError):
    """A serving state that a revision cannot enter from where it is."""


class ServerError(AdapterError):
    """A vLLM server, or the environment it runs in, that is missing, unfinished, broken or not what was asked for."""


class ServerLostError(ServerError):
    """A server that stopped answering in the middle of the work; of the batch that was under way nothing counts."""
