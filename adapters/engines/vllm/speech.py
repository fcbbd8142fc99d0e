"""How requests are put to a server, and its answers read: what the engine needs of either way of doing that."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from adapters.engines.protocol import GenerateRequest, GenerateResult, ScoreRequest, ScoreResult
from adapters.engines.vllm.client.client import VllmClient


class Asked(NamedTuple):
    """A request that may be sent.

    Args:
        request: as it came.
        prompt: its token ids; empty where the server makes them.
    """

    request: GenerateRequest
    prompt: tuple[int, ...]


class Scored(NamedTuple):
    """A completion that may be scored, with the ids of its prompt."""

    request: ScoreRequest
    prompt: tuple[int, ...]


class Speech(Protocol):
    """`TokenSpeech` where the base's tokenizer is on this machine, `ChatSpeech` where it is not."""

    def asked(self, request: GenerateRequest) -> Asked:
        """Check a request.

        Raises:
            RefusedError: it cannot be answered.
        """
        ...

    def scored(self, request: ScoreRequest) -> Scored:
        """Check a completion.

        Raises:
            RefusedError: it cannot be scored.
        """
        ...

    async def generate(self, client: VllmClient, asked: Asked, model: str) -> GenerateResult:
        """Send a request to the adapter served as `model`, and read its reply.

        Raises:
            RefusedError: this request came to nothing.
            ServerError: as of `VllmClient.complete`.
        """
        ...

    async def score(self, client: VllmClient, scored: Scored, model: str) -> ScoreResult:
        """Send a completion and read its log-probabilities; an empty one has none. Raises as `generate`."""
        ...

    async def probe(self, client: VllmClient, model: str, grammar: str | None = None) -> None:
        """Ask the least that can be asked; an answer of any kind will do, if it keeps the grammar.

        Raises:
            RefusedError: it does not keep the grammar.
            ServerError: there is no answer.
        """
        ...

    def forget(self) -> None:
        """Drop what was kept for the batch that is over."""
        ...
