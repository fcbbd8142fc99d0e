"""An event loop in a thread of its own, for callers that know nothing of async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class EventLoop:
    """Runs coroutines from construction until `close`.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of a coroutine, waited for.

        A caller that is interrupted while it waits, as by Ctrl-C, cancels the coroutine: that has ended, with all
        that it awaits, when the interruption goes on.
        """
        tasks: list[asyncio.Task[_T]] = []

        async def known() -> _T:
            task = asyncio.ensure_future(work)
            tasks.append(task)
            return await task

        async def cancelled() -> None:
            tasks[0].cancel()
            await asyncio.wait(tasks)

        future = asyncio.run_coroutine_threadsafe(known(), self._loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                asyncio.run_coroutine_threadsafe(cancelled(), self._loop).result()
            raise

    def close(self) -> None:
        """Cancel what runs and end the thread; a second call does nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
