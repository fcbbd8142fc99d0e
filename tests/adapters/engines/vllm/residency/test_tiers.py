"""The model of the server's two caches, against a plain restatement of what vLLM 0.27.1 does at each step."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.vllm.residency.tiers import ServerTiers, Tier

NAMES = [f"n{i}" for i in range(8)]


class Server:
    """vLLM step by step: every step brings in its batch and touches it; registering reads and takes a slot."""

    def __init__(self, slots: int, memory: int) -> None:
        self._most = slots, memory
        self.slots: OrderedDict[str, None] = OrderedDict()
        self.memory: OrderedDict[str, None] = OrderedDict()

    def add(self, name: str) -> None:
        most_slots, most_memory = self._most
        if name not in self.memory and len(self.memory) == most_memory:
            oldest, _ = self.memory.popitem(last=False)
            self.slots.pop(oldest, None)
        self.memory[name] = None
        self.memory.move_to_end(name)
        if name not in self.slots and len(self.slots) == most_slots:
            self.slots.popitem(last=False)
        self.slots[name] = None
        self.slots.move_to_end(name)

    def step(self, batch: list[str]) -> None:
        for name in batch:
            self.add(name)


@given(
    slots=st.integers(1, 4),
    more=st.integers(0, 4),
    events=st.lists(
        st.tuples(st.sampled_from(["register", "begin", "end"]), st.sampled_from(NAMES)), max_size=60
    ),
)
def test_the_model_holds_what_the_server_holds(slots: int, more: int, events: list[tuple[str, str]]) -> None:
    """One step of the engine runs after each event; no more adapters are in flight than there are slots."""
    server, model = Server(slots, slots + more), ServerTiers(slots, slots + more)
    batch: list[str] = []
    for event, name in events:
        if event == "begin" and name not in batch and len(batch) < slots:
            batch.append(name)
            model.begin(name)
        elif event == "end" and name in batch:
            batch.remove(name)
            model.end(name)
        elif event == "register" and name not in model.warm and len(batch) < slots:
            server.add(name)
            model.touch(name)
        server.step(batch)
        assert set(model.warm) == set(server.memory)
        assert set(model.hot) == set(server.slots)


def test_the_least_recently_used_leaves_the_slots_first_and_stays_warm() -> None:
    tiers = ServerTiers(2, 3)
    for name in "abc":
        tiers.touch(name)
    assert [tiers.tier(name) for name in "abcd"] == [Tier.WARM, Tier.HOT, Tier.HOT, Tier.COLD]
    tiers.touch("d")
    assert tiers.warm == ("b", "c", "d")
    assert tiers.hot == ("c", "d")


def test_what_is_in_flight_stays() -> None:
    tiers = ServerTiers(2, 3)
    tiers.begin("a")
    for name in "bcde":
        tiers.touch(name)
    assert tiers.tier("a") is Tier.HOT
    tiers.end("a")
    assert tiers.hot == ("e", "a")


def test_registering_takes_no_slot_from_requests_in_flight() -> None:
    tiers = ServerTiers(2, 4)
    tiers.begin("a")
    tiers.begin("b")
    tiers.touch("c")
    assert tiers.hot == ("a", "b")
    assert tiers.tier("c") is Tier.WARM


@pytest.mark.parametrize(("slots", "memory"), [(0, 1), (3, 2)])
def test_impossible_sizes_are_refused(slots: int, memory: int) -> None:
    with pytest.raises(ValueError, match=f"got {slots}, {memory}"):
        ServerTiers(slots, memory)
