"""Queued, deduplicated loads, with a reader that waits until it is told."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future

import pytest
import torch

from adapters.errors import AdapterError, NotReadyError, UnknownAdapterError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.store.tiers.cold_loads import ColdLoads
from adapters.store.tiers.reader import TieredAdapters
from adapters.store.tiers.warm_cache import WarmCache

ADAPTER = Adapter(
    LoraSpec(rank=1, targets=("q_proj",)), {"q_proj": LoraPair(torch.zeros(1, 4), torch.zeros(4, 1))}
)
PATIENCE = 20.0


class SlowReader:
    """Opens a revision once the test lets it; counts how often."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def open(self, revision: str) -> Adapter:
        self.opened[revision] += 1
        self.entered.release()
        assert self.go.wait(PATIENCE)
        if revision == "missing":
            raise UnknownAdapterError("missing: no such revision")
        return ADAPTER


def test_of_a_burst_of_four_two_are_loaded_and_two_rejected() -> None:
    # MinT (arXiv 2605.13779): in-flight 1, queue 1: a burst of 4 gives 2 loads and 2 rejects
    reader, cache = SlowReader(), WarmCache(1 << 20)
    loads = ColdLoads(reader, cache, in_flight=1, queue=1)
    jobs: list[Future[Adapter]] = []
    rejected: list[NotReadyError] = []
    for revision in "abcd":
        try:
            jobs.append(loads.request(revision))
        except NotReadyError as error:
            rejected.append(error)
    assert (len(jobs), len(rejected)) == (2, 2)
    assert all(error.retry_after > 0 for error in rejected)
    reader.go.set()
    for job in jobs:
        assert job.result(PATIENCE) is ADAPTER
    assert set(cache.revisions) == {"a", "b"}
    assert loads.request("c").result(PATIENCE) is ADAPTER, "a reject can be retried"
    loads.close()


def test_a_revision_asked_for_many_times_is_read_once() -> None:
    reader = SlowReader()
    loads = ColdLoads(reader, WarmCache(1 << 20), in_flight=2, queue=0)
    first = loads.request("a")
    assert loads.request("a") is first
    found: list[Adapter] = []
    inline = threading.Thread(target=lambda: found.append(loads.load("a")))
    inline.start()
    reader.go.set()
    inline.join(PATIENCE)
    assert found == [ADAPTER]
    assert loads.request("a").result(0) is ADAPTER
    assert reader.opened == {"a": 1}
    loads.close()


def test_a_failed_load_tells_everybody_and_leaves_nothing_behind() -> None:
    reader, cache = SlowReader(), WarmCache(1 << 20)
    reader.go.set()
    loads = ColdLoads(reader, cache)
    with pytest.raises(UnknownAdapterError, match="missing"):
        loads.request("missing").result(PATIENCE)
    with pytest.raises(UnknownAdapterError, match="missing"):
        loads.load("missing")
    assert cache.revisions == ()
    assert reader.opened == {"missing": 2}
    loads.close()


def test_closing_lets_the_running_load_end_and_refuses_the_waiting_one() -> None:
    reader = SlowReader()
    loads = ColdLoads(reader, WarmCache(1 << 20), in_flight=1, queue=1)
    running = loads.request("a")
    assert reader.entered.acquire(timeout=PATIENCE)
    waiting = loads.request("b")
    closing = threading.Thread(target=loads.close)
    closing.start()
    while not loads._closed:
        pass
    reader.go.set()
    closing.join(PATIENCE)
    assert running.result(0) is ADAPTER
    with pytest.raises(AdapterError, match="closed before its turn"):
        waiting.result(0)
    with pytest.raises(AdapterError, match="closed"):
        loads.request("c")


@pytest.mark.parametrize(("in_flight", "queue"), [(0, 1), (1, -1)])
def test_impossible_sizes_are_refused(in_flight: int, queue: int) -> None:
    with pytest.raises(ValueError, match="expected at least"):
        ColdLoads(SlowReader(), WarmCache(0), in_flight=in_flight, queue=queue)


def test_tiers_read_storage_once_while_the_budget_lasts() -> None:
    reader = SlowReader()
    reader.go.set()
    tiers = TieredAdapters(reader, warm_bytes=ADAPTER.nbytes)
    assert [tiers.open(r) for r in "aab"] == [ADAPTER] * 3
    assert tiers.warm == ("b",)
    assert tiers.prefetch("a").result(PATIENCE) is ADAPTER
    assert reader.opened == {"a": 2, "b": 1}
    tiers.drop("a")
    assert tiers.warm == ()
    assert tiers.counts.hits == 1
    tiers.close()
    tiers.close()
