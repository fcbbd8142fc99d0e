"""Admission: few adapters at once, everything gets its turn, and nobody waits without end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.vllm.residency.admission import Admission

adapters_asked = st.lists(st.integers(0, 9).map(str), min_size=1, max_size=60)
settings_of = st.fixed_dictionaries(
    {
        "max_loras": st.integers(1, 4),
        "max_requests": st.one_of(st.none(), st.integers(1, 8)),
        "patience": st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf]),
    }
)


class Watched:
    """Runs an admission to the end and holds it to its bounds at every step."""

    def __init__(
        self, asked: Sequence[str], outstanding: int, pick: Callable[[int], int], **settings: object
    ) -> None:
        self.asked, self.settings = asked, settings
        self.admission = Admission(**settings)  # type: ignore[arg-type]
        self.started: list[int] = []
        self._flying: list[int] = []
        coming = deque(range(len(asked)))
        self.most = 0
        while coming or self.admission.waiting or self._flying:
            while coming and self.admission.waiting + self.admission.in_flight < outstanding:
                self.admission.offer(coming[0], asked[coming.popleft()])
            self.most = max(self.most, self.admission.waiting + self.admission.in_flight)
            self._start()
            done = self._flying.pop(pick(len(self._flying)))
            self.admission.finish(done)

    def _start(self) -> None:
        started = self.admission.start()
        self.started += started
        self._flying += started
        seats = {self.asked[key] for key in self._flying}
        assert set(self.admission.seated) == seats
        assert 1 <= len(seats) <= self.settings["max_loras"]
        assert len(self._flying) <= (self.settings["max_requests"] or math.inf)


@given(adapters_asked, st.integers(1, 70), settings_of, st.randoms(use_true_random=False))
def test_everything_starts_once_within_the_seats(asked, outstanding, settings, random) -> None:
    run = Watched(asked, outstanding, random.randrange, **settings)
    assert sorted(run.started) == list(range(len(asked)))
    assert run.admission.waiting == run.admission.in_flight == 0


@given(adapters_asked, st.integers(1, 70), settings_of, st.randoms(use_true_random=False))
def test_nobody_is_overtaken_by_more_than_patience_allows(asked, outstanding, settings, random) -> None:
    """The bound is in requests served before one's own: patience × the most that were in the house."""
    run = Watched(asked, outstanding, random.randrange, **settings)
    allowed = settings["patience"] * run.most
    for place, key in enumerate(run.started):
        overtaken_by = sum(other > key for other in run.started[:place])
        assert overtaken_by <= allowed


@given(st.integers(1, 4), st.integers(1, 12))
def test_an_endless_queue_does_not_keep_a_rare_adapter_out(max_loras: int, crowd: int) -> None:
    """Popular adapters, one for each seat, always have somebody waiting; one request of a rare one is served."""
    admission = Admission(max_loras)
    keys = iter(range(10**6))
    popular = [f"popular-{i}" for i in range(max_loras)]
    flying: deque[int] = deque()

    def crowd_in() -> None:
        for name in popular * crowd:
            admission.offer(next(keys), name)

    crowd_in()
    flying.extend(admission.start())
    admission.offer(-1, "rare")
    served = 0
    while -1 not in flying:
        admission.finish(flying.popleft())
        served += 1
        for name in popular:
            admission.offer(next(keys), name)
        flying.extend(admission.start())
        assert served <= 4 * max_loras * (crowd + 1)


def test_without_a_bound_the_endless_queue_does() -> None:
    """What vLLM's own scheduler does, and why patience is finite."""
    admission = Admission(1, patience=math.inf)
    admission.offer(0, "popular")
    assert admission.start() == [0]
    admission.offer(-1, "rare")
    for key in range(1, 500):
        admission.offer(key, "popular")
        assert admission.start() == [key]
        admission.finish(key - 1)


@given(st.lists(st.integers(0, 3).map(str), min_size=1, max_size=40), st.integers(4, 6))
def test_adapters_that_all_fit_start_at_once(asked: list[str], max_loras: int) -> None:
    admission = Admission(max_loras)
    for key, adapter in enumerate(asked):
        admission.offer(key, adapter)
    assert admission.start() == list(range(len(asked)))


@given(adapters_asked, st.integers(1, 20), settings_of, st.integers(0, 2**32 - 1))
def test_the_same_events_give_the_same_order(asked, outstanding, settings, seed) -> None:
    def order() -> list[int]:
        rng = np.random.default_rng(seed)
        return Watched(asked, outstanding, lambda n: int(rng.integers(n)), **settings).started

    assert order() == order()


def test_seats_roll_instead_of_waiting_for_a_whole_wave() -> None:
    admission = Admission(2)
    for key, adapter in enumerate("abcd"):
        admission.offer(key, adapter)
    assert admission.start() == [0, 1]
    admission.finish(1)
    assert admission.start() == [2]
    assert admission.seated == ("a", "c")


def test_what_is_hot_goes_first_then_warm_then_cold() -> None:
    admission = Admission(1, near=lambda: [{"d", "c"}, {"b", "d"}])
    for key, adapter in enumerate("abcd"):
        admission.offer(key, adapter)
    assert admission.upcoming(3) == ["c", "d", "b"]
    order = []
    for _ in "abcd":
        (key,) = admission.start()
        order.append(key)
        admission.finish(key)
    assert order == [2, 3, 1, 0]


class Plainly:
    """The same rules as they are told, looking at everybody every time."""

    def __init__(
        self,
        max_loras: int,
        max_requests: int | None,
        patience: float,
        near: Callable[[], Sequence[set[str]]],
    ) -> None:
        self.max_loras, self.max_requests = max_loras, max_requests or math.inf
        self.patience, self.near = patience, near
        self.waiting: dict[int, tuple[int, str]] = {}  # key → arrival, adapter; in line
        self.running: dict[int, str] = {}
        self.arrivals, self.head, self.limit = 0, -1, 0.0

    def offer(self, key: int, adapter: str) -> None:
        self.waiting[key] = (self.arrivals, adapter)
        self.arrivals += 1

    def start(self) -> list[int]:
        started: list[int] = []
        while self.waiting and len(self.running) < self.max_requests:
            head = min(self.waiting.values())[0]
            if head != self.head:
                self.head = head
                self.limit = head + self.patience * (len(self.waiting) + len(self.running))
            seats = set(self.running.values())
            able = [
                (0 if adapter in seats else self.cost(adapter), arrival, key)
                for key, (arrival, adapter) in self.waiting.items()
                if arrival <= self.limit and (adapter in seats or len(seats) < self.max_loras)
            ]
            if not able:
                break
            key = min(able)[2]
            self.running[key] = self.waiting.pop(key)[1]
            started.append(key)
        return started

    def finish(self, key: int) -> None:
        if self.running.pop(key, None) is None:
            del self.waiting[key]

    def upcoming(self, count: int) -> list[str]:
        seats = set(self.running.values())
        places = sorted(
            (self.cost(name), at, name) for at, name in self.waiting.values() if name not in seats
        )
        return list(dict.fromkeys(name for _, _, name in places))[:count]

    def cost(self, adapter: str) -> int:
        groups = self.near()
        return next((cost for cost, group in enumerate(groups) if adapter in group), len(groups))


@given(settings_of, st.integers(1, 12), st.randoms(use_true_random=False))
def test_it_decides_as_the_rules_told_plainly_whatever_happens(settings, adapters, random) -> None:
    costs = {str(adapter): random.randrange(3) for adapter in range(adapters)}

    def near() -> list[set[str]]:
        return [{name for name in costs if costs[name] <= cost} for cost in range(2)]

    admission, plainly = Admission(**settings, near=near), Plainly(**settings, near=near)
    present: list[int] = []
    for key in range(100):
        match random.randrange(5):
            case 0 | 1:
                adapter = str(random.randrange(adapters))
                admission.offer(key, adapter)
                plainly.offer(key, adapter)
                present.append(key)
            case 2 if present:  # answered, or given up while it waits
                gone = present.pop(random.randrange(len(present)))
                admission.finish(gone)
                plainly.finish(gone)
            case 3:
                costs[str(random.randrange(adapters))] = random.randrange(3)
            case _:
                assert admission.start() == plainly.start()
        assert admission.upcoming(5) == plainly.upcoming(5)
        assert set(admission.seated) == set(plainly.running.values())


def test_upcoming_names_waiting_adapters_without_a_seat() -> None:
    admission = Admission(1)
    for key, adapter in enumerate("aabcb"):
        admission.offer(key, adapter)
    admission.start()
    assert admission.upcoming(5) == ["b", "c"]
    assert admission.upcoming(0) == []


def test_a_request_can_be_given_up_while_it_waits() -> None:
    admission = Admission(1)
    for key, adapter in enumerate("abc"):
        admission.offer(key, adapter)
    admission.start()
    admission.finish(1)
    admission.finish(0)
    assert admission.start() == [2]
    admission.offer(1, "b")  # its key is free again
    admission.finish(2)
    assert admission.start() == [1]


def test_a_key_in_use_is_refused() -> None:
    admission = Admission(1)
    admission.offer(7, "a")
    with pytest.raises(ValueError, match="7"):
        admission.offer(7, "b")


@pytest.mark.parametrize(
    "wrong", [{"max_loras": 0}, {"max_requests": 0}, {"patience": -1.0}, {"patience": math.nan}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Admission(**{"max_loras": 1} | wrong)  # type: ignore[arg-type]


class Served(NamedTuple):
    """Rows per second, and the longest wait over the median wait."""

    speed: float
    unevenness: float


def serve_zipf(adapters: int, slots: int, outstanding: int, exponent: float, patience: float) -> Served:
    """A stream on a modelled server: a step takes 30 ms and 2.4 ms a row, a first row 20 ms, a new adapter 4 ms.

    The figures are of the order of those of the tiny base on two cores; only their proportions matter.
    """
    rng = np.random.default_rng(0)
    total = 3 * outstanding
    weights = 1 / np.arange(1, adapters + 1) ** exponent
    asked = [str(adapter) for adapter in rng.choice(adapters, total, p=weights / weights.sum())]
    lengths = rng.integers(8, 25, total).tolist()
    admission = Admission(slots, patience=patience)
    left: dict[int, int] = {}
    offered: list[float] = []
    waits: list[float] = []
    now = 0.0
    while len(waits) < total:
        while len(offered) < min(total, outstanding + len(waits)):
            admission.offer(len(offered), asked[len(offered)])
            offered.append(now)
        before = {asked[key] for key in left}
        started = admission.start()
        left |= {key: lengths[key] for key in started}
        new = len({asked[key] for key in started} - before)
        now += 0.03 + 0.0024 * len(left) + 0.02 * len(started) + 0.004 * new
        left = {key: rows - 1 for key, rows in left.items()}
        for key in [key for key, rows in left.items() if not rows]:
            del left[key]
            admission.finish(key)
            waits.append(now - offered[key])
    return Served(sum(lengths) / now, max(waits) / float(np.median(waits)))


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.3])
@pytest.mark.parametrize(("adapters", "slots", "outstanding"), [(64, 8, 64), (64, 16, 128), (256, 64, 256)])
def test_waits_stay_even_at_almost_full_speed(adapters, slots, outstanding, exponent) -> None:
    """The goals of `benchmarks.serving_vllm`, on a model of a server that is the same on every machine."""
    fair = serve_zipf(adapters, slots, outstanding, exponent, patience=1.0)
    greedy = serve_zipf(adapters, slots, outstanding, exponent, patience=math.inf)
    assert fair.unevenness <= 3
    assert fair.speed >= 0.95 * greedy.speed
