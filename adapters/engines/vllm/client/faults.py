"""What can go wrong with one call to a server, told apart by what it says about all the others."""

from __future__ import annotations

from adapters.errors import ServerError


class RejectedError(ServerError):
    """The server understood a request and refused it; sending it again would change nothing.

    Args:
        status: of HTTP, 400 to 499.
        message: the server's own words.
        about: the field that the server names, if any.
    """

    def __init__(self, status: int, message: str, about: str | None = None) -> None:
        super().__init__(message)
        self.status, self.about = status, about


class UnansweredError(ServerError):
    """A request got no answer, though it was sent as often as the settings say.

    Args:
        message: what happened the last time.
        for_all: whether that concerns every request (nothing listens, or the server is overloaded). Otherwise
            the request itself may be what the server fails at.
    """

    def __init__(self, message: str, *, for_all: bool) -> None:
        super().__init__(message)
        self.for_all = for_all


class NonsenseError(ServerError):
    """An answer that is none: no JSON, fields missing, or numbers that contradict each other or the request."""
