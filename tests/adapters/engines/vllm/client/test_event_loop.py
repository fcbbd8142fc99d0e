"""Callers that know nothing of async get results, errors and interruptions, and no thread is left."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from adapters.engines.vllm.client.event_loop import EventLoop


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop("a test's loop")
    yield loop
    loop.close()


async def answer(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    raise LookupError("of the coroutine")


def test_results_and_errors_come_back(loop: EventLoop) -> None:
    assert loop.run(answer(3)) == 3
    with pytest.raises(LookupError, match="of the coroutine"):
        loop.run(fail())
    assert loop.run(answer(4)) == 4


@pytest.mark.usefixtures("ctrl_c")
def test_an_interruption_cancels_everything_that_was_started(loop: EventLoop) -> None:
    """Ctrl-C reaches the caller; by then the coroutine and its tasks have cleaned up, and the loop still works."""
    ended = []

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append(name)

    async def work() -> None:
        children = [asyncio.create_task(wait(name)) for name in ("one", "other")]
        await asyncio.sleep(0.02)
        caller = threading.main_thread().ident
        assert caller is not None
        signal.pthread_kill(caller, signal.SIGINT)
        await asyncio.gather(*children)

    with pytest.raises(KeyboardInterrupt):
        loop.run(work())
    assert sorted(ended) == ["one", "other"]
    assert loop.run(answer(5)) == 5


def test_closing_ends_the_thread_and_what_runs_in_it() -> None:
    before = threading.active_count()
    loop, ended = EventLoop("short-lived"), threading.Event()

    async def linger() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def start() -> asyncio.Task[None]:
        task = asyncio.create_task(linger())
        await asyncio.sleep(0)
        return task

    loop.run(start())
    loop.close()
    loop.close()
    assert ended.is_set()
    assert threading.active_count() == before
