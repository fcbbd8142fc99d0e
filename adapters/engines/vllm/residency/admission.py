"""Who may start: at most `max_loras` adapters in flight, and nobody overtaken without end.

vLLM's scheduler lets every request pass that fits the adapters of its running batch and skips the others, so that
an adapter with an endless queue keeps its slot and one that is asked seldom may never get any. Here requests
wait in front of the server instead, in one line by arrival, and seats for adapters roll: as soon as the last
request of an adapter has finished, its seat goes to another.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple


class _Waiting(NamedTuple):
    arrival: int
    key: int


class Admission:
    """A line of requests for a server with few adapter slots. Pure bookkeeping: no clock, no I/O, no chance.

    Of the requests in line, the first whose adapter has a seat, or can get one, starts; free seats go to adapters of
    the lowest tier first. What may go ahead of the line's head is bounded: while one request is the head, only
    those may start that came at most `patience` times as many places later as there were requests, waiting and in
    flight, when it became the head. Adapters with more to ask then run out of admitted requests, give up their seat,
    and the head takes it. So no request is overtaken by more than `patience` times the largest number of requests
    that were in the house at a time.

    Source: ours. In a simulated stream (`benchmarks.serving_vllm`), patience 1 keeps 0.94 to 1 of the throughput
    of unbounded overtaking, and the longest wait below 3 times the median; 0.5 gives 0.87 to 1, and 2.

    Args:
        max_loras: adapters in flight at once, at least 1; the zero adapter that stands for the base is one.
        max_requests: requests in flight at once, at least 1; None for as many as there are.
        patience: ≥ 0; 0 serves strictly by arrival, infinity lets everything overtake.
        tier: how dear it would be to seat an adapter now, 0 for nothing.

    Raises:
        ValueError: for a number out of range.
    """

    def __init__(
        self,
        max_loras: int,
        *,
        max_requests: int | None = None,
        patience: float = 1.0,
        tier: Callable[[str], int] = lambda _: 0,
    ) -> None:
        for name, value in (("max_loras", max_loras), ("max_requests", max_requests)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: got {value}; expected at least 1")
        if not patience >= 0:
            raise ValueError(f"patience: got {patience}; expected 0 or more")
        self._max_loras, self._patience, self._tier = max_loras, patience, tier
        self._max_requests = math.inf if max_requests is None else max_requests
        self._arrivals = 0
        self._line: deque[int] = deque()  # arrivals; who left from its middle is taken out at its head
        self._waiting: set[int] = set()  # the arrivals that are still in line
        self._queues: dict[str, deque[_Waiting]] = {}  # the same, by adapter; never an empty one
        self._adapter: dict[int, str] = {}  # of every request, waiting or in flight
        self._running: set[int] = set()
        self._seats: Counter[str] = Counter()  # adapter → requests in flight, at least 1
        self._head = -1  # its arrival
        self._limit = math.inf  # the last arrival that may start while it is the head

    @property
    def in_flight(self) -> int:
        """Requests that have started and not finished."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests that have not started."""
        return len(self._waiting)

    @property
    def seated(self) -> tuple[str, ...]:
        """Adapters with requests in flight."""
        return tuple(self._seats)

    def offer(self, key: int, adapter: str) -> None:
        """Put a request at the end of the line.

        Raises:
            ValueError: a request of this key is here already.
        """
        if key in self._adapter:
            raise ValueError(f"request {key} is waiting or in flight already")
        waiting = _Waiting(self._arrivals, key)
        self._arrivals += 1
        self._adapter[key] = adapter
        self._line.append(waiting.arrival)
        self._waiting.add(waiting.arrival)
        self._queues.setdefault(adapter, deque()).append(waiting)

    def start(self) -> list[int]:
        """Let requests go, as many as may; returns their keys in the order in which they go."""
        started: list[int] = []
        while self._queues and len(self._running) < self._max_requests:
            self._look_at_head()
            adapter = self._next_adapter()
            if adapter is None:
                break
            started.append(self._take(adapter))
        return started

    def finish(self, key: int) -> None:
        """A request is over: it was answered, it failed, or it was given up while waiting.

        Raises:
            KeyError: no such request.
        """
        adapter = self._adapter.pop(key)
        if key in self._running:
            self._running.remove(key)
            self._seats[adapter] -= 1
            if not self._seats[adapter]:
                del self._seats[adapter]
            return
        self._leave(adapter, next(waiting for waiting in self._queues[adapter] if waiting.key == key))

    def upcoming(self, count: int) -> list[str]:
        """The first `count` adapters that will get a seat if nothing else comes, soonest first."""
        return sorted(self._queues.keys() - self._seats.keys(), key=self._rank)[:count]

    def _look_at_head(self) -> None:
        while self._line[0] not in self._waiting:
            self._line.popleft()
        if self._line[0] != self._head:
            self._head = self._line[0]
            self._limit = self._head + self._patience * len(self._adapter)

    def _next_adapter(self) -> str | None:
        """Whose first request goes next; None when nothing may."""
        free = len(self._seats) < self._max_loras
        able = self._queues.keys() if free else self._queues.keys() & self._seats.keys()
        admitted = (adapter for adapter in able if self._queues[adapter][0].arrival <= self._limit)
        return min(admitted, key=self._rank, default=None)

    def _rank(self, adapter: str) -> tuple[int, int]:
        tier = 0 if adapter in self._seats else self._tier(adapter)
        return tier, self._queues[adapter][0].arrival

    def _take(self, adapter: str) -> int:
        first = self._queues[adapter][0]
        self._leave(adapter, first)
        self._running.add(first.key)
        self._seats[adapter] += 1
        return first.key

    def _leave(self, adapter: str, waiting: _Waiting) -> None:
        """Out of the line."""
        self._waiting.remove(waiting.arrival)
        self._queues[adapter].remove(waiting)
        if not self._queues[adapter]:
            del self._queues[adapter]
