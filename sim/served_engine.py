"""An engine on servers together with what has to be put away after it, and what a manifest says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from adapters.engines.protocol import Engine, GenerateRequest, GenerateResult, ScoreRequest, ScoreResult
from adapters.errors import ServerLostError


class ServedEngine:
    """Answers as `inner` does; closing it closes all that was opened for it.

    Args:
        inner: the engine.
        record: for the manifest: what the servers are, without secrets.
        cleanup: what closes with this engine: the engine itself first, then its server, then its folder.
        log: of a server that is our own; None where there is none.
    """

    def __init__(
        self, inner: Engine, record: Mapping[str, Any], cleanup: ExitStack, log: Path | None
    ) -> None:
        self._inner, self._cleanup, self._log = inner, cleanup, log
        self.record = dict(record)

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given.

        Raises:
            ServerLostError: the server does not answer any more; nothing of the batch counts.
        """
        with self._naming_the_log():
            return self._inner.generate(requests)

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given. Raises as `generate`."""
        with self._naming_the_log():
            return self._inner.score(requests)

    def close(self) -> None:
        """End the engine, and the server where it is our own; a second call does nothing."""
        self._cleanup.close()

    @contextmanager
    def _naming_the_log(self) -> Iterator[None]:
        try:
            yield
        except ServerLostError as error:
            if self._log is None:
                raise
            raise ServerLostError(f"{error}. Its log is {self._log}") from error
