"""A batch on its way to a server: requests leave as admission lets them, and none is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from adapters.engines.vllm.residency.admission import Admission
from adapters.engines.vllm.residency.residency import ServerResidency


async def fly(
    adapters: Sequence[str],
    ask: Callable[[int], Awaitable[None]],
    admission: Admission,
    residency: ServerResidency,
    *,
    ahead: int,
) -> None:
    """Ask for every request once; returns when all are over.

    Args:
        adapters: revision, or ZERO, of each request.
        ask: sends the request of an index and keeps its answer.
        admission: with nobody in it.
        residency: told which adapters come next.
        ahead: how many of them.

    Raises:
        BaseException: what the first failing `ask` raised; the other requests under way are cancelled.
    """
    for index, adapter in enumerate(adapters):
        admission.offer(index, adapter)
    running: dict[asyncio.Future[None], int] = {}
    try:
        while admission.waiting or running:
            for index in admission.start():
                running[asyncio.ensure_future(ask(index))] = index
            for adapter in admission.upcoming(ahead):
                residency.prefetch(adapter)
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                admission.finish(running.pop(task))
                task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
