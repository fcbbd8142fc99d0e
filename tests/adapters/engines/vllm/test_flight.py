"""A batch flies as admission says; when one request breaks it, nobody is left in the air."""

from __future__ import annotations

import asyncio

import pytest

from adapters.engines.vllm.flight import fly
from adapters.engines.vllm.residency.admission import Admission


class Silent:
    """A residency that only remembers what it was told to fetch."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def prefetch(self, adapter: str) -> None:
        self.told.append(adapter)


def test_adapters_that_wait_are_fetched_ahead() -> None:
    """While the first two decode, the third is brought to the server."""
    residency, order = Silent(), []

    async def ask(index: int) -> None:
        await asyncio.sleep(0)
        order.append(index)

    asyncio.run(fly(["a", "b", "c", "a"], ask, Admission(2), residency, ahead=2))  # type: ignore[arg-type]
    assert sorted(order) == [0, 1, 2, 3]
    assert residency.told[0] == "c"


def test_the_first_failure_cancels_the_others_and_comes_out() -> None:
    ended = []

    async def ask(index: int) -> None:
        if index == 1:
            await asyncio.sleep(0.01)
            raise LookupError("one")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(index)

    with pytest.raises(LookupError, match="one"):
        asyncio.run(fly(["a"] * 4, ask, Admission(1), Silent(), ahead=1))  # type: ignore[arg-type]
    assert sorted(ended) == [0, 2, 3]


def test_nothing_to_ask_is_nothing_to_wait_for() -> None:
    async def ask(index: int) -> None:
        raise AssertionError(index)

    asyncio.run(fly([], ask, Admission(1), Silent(), ahead=1))  # type: ignore[arg-type]
