"""Who may start: at most `max_loras` adapters in flight, and nobody overtaken without end.

vLLM's scheduler lets every request pass that fits the adapters of its running batch and skips the others, so that
an adapter with an endless queue keeps its slot and one that is asked seldom may never get any. Here requests
wait in front of the server instead, in one line by arrival, and seats for adapters roll: as soon as the last
request of an adapter has finished, its seat goes to another.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import NamedTuple


class _Waiting(NamedTuple):
    arrival: int
    key: int


class _Turn(NamedTuple):
    """An adapter in line, at the place of its first request."""

    arrival: int
    adapter: str


class Admission:
    """A line of requests for a server with few adapter slots. Pure bookkeeping: no clock, no I/O, no chance.

    Of the requests in line, the first whose adapter has a seat, or can get one, starts; free seats go to the nearest
    adapters first. What may go ahead of the line's head is bounded: while one request is the head, only
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
        near: tells which adapters are cheap to seat now, in groups, those that cost nothing first; all that it does
            not name are equally dear. It is asked whenever a seat is free. None where all cost nothing.

    Raises:
        ValueError: for a number out of range.
    """

    def __init__(
        self,
        max_loras: int,
        *,
        max_requests: int | None = None,
        patience: float = 1.0,
        near: Callable[[], Sequence[Collection[str]]] | None = None,
    ) -> None:
        for name, value in (("max_loras", max_loras), ("max_requests", max_requests)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: got {value}; expected at least 1")
        if not patience >= 0:
            raise ValueError(f"patience: got {patience}; expected 0 or more")
        self._max_loras, self._patience, self._near = max_loras, patience, near
        self._max_requests = math.inf if max_requests is None else max_requests
        self._arrivals = 0
        self._line: deque[int] = deque()  # arrivals; who left from its middle is taken out at its head
        self._waiting: set[int] = set()  # the arrivals that are still in line
        self._queues: dict[str, deque[_Waiting]] = {}  # the same, by adapter; never an empty one
        self._seated: list[_Turn] = []  # the adapters of these queues that have a seat, sorted
        self._standing: list[_Turn] = []  # and those that have none
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
        with self._moving(adapter):
            self._queues.setdefault(adapter, deque()).append(waiting)

    def start(self) -> list[int]:
        """Let requests go, as many as may; returns their keys in the order in which they go."""
        started: list[int] = []
        nearest = self._nearest() if len(self._seats) < self._max_loras else []
        while self._queues and len(self._running) < self._max_requests:
            self._look_at_head()
            adapter = self._next_adapter(nearest)
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
        with self._moving(adapter):
            if key in self._running:
                self._running.remove(key)
                self._seats[adapter] -= 1
                if not self._seats[adapter]:
                    del self._seats[adapter]
            else:
                self._leave(adapter, next(one for one in self._queues[adapter] if one.key == key))

    def upcoming(self, count: int) -> list[str]:
        """The first `count` adapters that will get a seat if nothing else comes, soonest first."""
        nearest = [turn.adapter for group in self._nearest() for turn in group]
        named = set(nearest)
        dear = (turn.adapter for turn in self._standing if turn.adapter not in named)
        return list(islice(chain(nearest, dear), count))

    def _look_at_head(self) -> None:
        while self._line[0] not in self._waiting:
            self._line.popleft()
        if self._line[0] != self._head:
            self._head = self._line[0]
            self._limit = self._head + self._patience * len(self._adapter)

    def _nearest(self) -> list[deque[_Turn]]:
        """Adapters in line without a seat that `near` names: each in the first group that has it, by arrival."""
        named: set[str] = set()
        groups = []
        for group in self._near() if self._standing and self._near is not None else ():
            found = {name for name in group if name in self._queues and name not in self._seats} - named
            groups.append(deque(sorted(map(self._turn, found))))
            named |= found
        return groups

    def _next_adapter(self, nearest: Sequence[deque[_Turn]]) -> str | None:
        """Whose first request goes next, a seat that it has costing nothing; None when nothing may."""
        firsts = [(0, turn) for turn in self._seated[:1]]
        if len(self._seats) < self._max_loras:
            for group in nearest:
                while group and group[0].adapter in self._seats:  # since `nearest` was made
                    group.popleft()
            firsts += [(cost, group[0]) for cost, group in enumerate((*nearest, self._standing)) if group]
        admitted = [(cost, turn) for cost, turn in firsts if turn.arrival <= self._limit]
        return min(admitted)[1].adapter if admitted else None

    def _take(self, adapter: str) -> int:
        first = self._queues[adapter][0]
        with self._moving(adapter):
            self._leave(adapter, first)
            self._seats[adapter] += 1
        self._running.add(first.key)
        return first.key

    def _leave(self, adapter: str, waiting: _Waiting) -> None:
        """Out of the line."""
        self._waiting.remove(waiting.arrival)
        self._queues[adapter].remove(waiting)
        if not self._queues[adapter]:
            del self._queues[adapter]

    @contextmanager
    def _moving(self, adapter: str) -> Iterator[None]:
        """Whatever changes inside, an adapter's queue or its seat: afterwards it has its place in the sorted lists."""
        if adapter in self._queues:
            turns, turn = self._turns(adapter), self._turn(adapter)
            del turns[bisect_left(turns, turn)]
        yield
        if adapter in self._queues:
            insort(self._turns(adapter), self._turn(adapter))

    def _turns(self, adapter: str) -> list[_Turn]:
        return self._seated if adapter in self._seats else self._standing

    def _turn(self, adapter: str) -> _Turn:
        return _Turn(self._queues[adapter][0].arrival, adapter)
