"""An engine that counts what it spends and stops when the budget cannot cover the next batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

from adapters.engines.protocol import (
    Engine,
    GenerateRequest,
    GenerateResult,
    Message,
    Prompt,
    ScoreRequest,
    ScoreResult,
)
from adapters.errors import BudgetExceededError


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent.

    Args:
        requests: answered, failed ones included.
        tokens_in: prompt tokens, and the given completions of scores.
        tokens_out: drawn tokens.
        seconds: inside the inner engine. A batch's seconds are shared out over its adapters by tokens.
    """

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Usage)))


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper bounds on a usage's fields of the same names; None is unlimited.

    Raises:
        ValueError: for a negative bound.
    """

    requests: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            bound = getattr(self, f.name)
            if bound is not None and bound < 0:
                raise ValueError(f"{f.name}: got {bound}; expected 0 or more, or None for no bound")


class MeteredEngine:
    """Counts tokens and seconds of `inner`, in all and by adapter.

    Before a batch runs, the least that sound requests cost is added to what was spent: one request each, the ids
    of a prompt (a chat message counts as one token, for only the inner engine can encode it), the ids of a
    given completion, one drawn token per reply. Where that exceeds a bound, the batch is refused as a
    whole and nothing of it is run. So the bound on requests is exact, while the others may be passed by
    the last batch that was let in.

    Args:
        inner: the engine that does the work; closed with this one.
        budget: what may be spent.
        clock: seconds that only go up.
    """

    def __init__(
        self, inner: Engine, budget: Budget | None = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._inner, self._budget, self._clock = inner, budget or Budget(), clock
        self._by_adapter: dict[str | None, Usage] = {}

    @property
    def spent(self) -> Usage:
        """The sum over all adapters."""
        return sum(self._by_adapter.values(), Usage())

    @property
    def by_adapter(self) -> Mapping[str | None, Usage]:
        """Usage by revision; None is the bare base."""
        return MappingProxyType(dict(self._by_adapter))

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer every request, in the order given.

        Raises:
            BudgetExceededError: the budget cannot cover the batch; nothing was run.
        """
        self._admit(Usage(1, _least_tokens(r.prompt), 1) for r in requests)
        start = self._clock()
        results = self._inner.generate(requests)
        took = self._clock() - start
        costs = [Usage(1, result.prompt_tokens, result.completion_tokens) for result in results]
        self._book([r.adapter for r in requests], costs, took)
        return results

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score every completion, in the order given.

        Raises:
            BudgetExceededError: the budget cannot cover the batch; nothing was run.
        """
        self._admit(Usage(1, _least_tokens(r.prompt) + len(r.completion)) for r in requests)
        start = self._clock()
        results = self._inner.score(requests)
        took = self._clock() - start
        costs = [Usage(1, result.prompt_tokens + len(result.logprobs)) for result in results]
        self._book([r.adapter for r in requests], costs, took)
        return results

    def close(self) -> None:
        """Close the inner engine; what was spent can still be read."""
        self._inner.close()

    def _admit(self, least: Iterable[Usage]) -> None:
        batch = sum(least, Usage())
        if not batch.requests:
            return
        spent = self.spent
        for f in fields(Budget):
            bound = getattr(self._budget, f.name)
            if bound is None:
                continue
            have, more = getattr(spent, f.name), getattr(batch, f.name)
            if have + more > bound or (f.name == "seconds" and have >= bound):
                raise BudgetExceededError(
                    f"{f.name}: {have:g} of {bound:g} spent, and the next batch of {batch.requests} requests takes "
                    f"at least {more:g} more; nothing of it was run. Raise the budget's {f.name}."
                )

    def _book(self, adapters: Sequence[str | None], costs: Sequence[Usage], took: float) -> None:
        weights = [cost.tokens_in + cost.tokens_out for cost in costs]
        total = sum(weights)
        for adapter, cost, weight in zip(adapters, costs, weights, strict=True):
            share = weight / total if total else 1 / len(costs)
            before = self._by_adapter.get(adapter, Usage())
            self._by_adapter[adapter] = before + cost + Usage(seconds=took * share)


def _least_tokens(prompt: Prompt) -> int:
    return max(1, sum(1 for part in prompt if isinstance(part, int | Message)))
