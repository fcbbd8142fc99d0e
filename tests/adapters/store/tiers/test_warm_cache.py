"""The warm tier against a list that is kept by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from adapters.store.tiers.warm_cache import CacheCounts, WarmCache

SPEC = LoraSpec(rank=1, targets=("q_proj",))


def adapter(kib: int) -> Adapter:
    """One of exactly `kib` KiB: 256 floats a KiB, half of them in each factor."""
    half = torch.zeros(1, 128 * kib)
    return Adapter(SPEC, {"q_proj": LoraPair(half, half.T)})


def test_an_adapter_knows_its_bytes() -> None:
    assert adapter(3).nbytes == 3 * 1024


def test_the_least_recently_used_leaves_first() -> None:
    cache = WarmCache(3 * 1024)
    for name in "abc":
        cache.put(name, adapter(1))
    assert cache.get("a") is not None
    cache.put("d", adapter(1))
    assert cache.revisions == ("c", "a", "d")
    assert cache.get("b") is None
    assert cache.counts == CacheCounts(hits=1, misses=1, evictions=1, refusals=0)


def test_what_is_pinned_stays_and_comes_free_after_the_last_pin() -> None:
    cache = WarmCache(2 * 1024)
    cache.put("a", adapter(1))
    cache.put("b", adapter(1))
    with cache.pinned(["a"]):
        with cache.pinned(["a"]):
            cache.put("c", adapter(1))
        cache.put("d", adapter(1))
        assert cache.revisions == ("a", "d")
        assert not cache.put("e", adapter(2))
        assert cache.revisions == ("a", "d"), "a refusal must evict nobody"
    cache.put("f", adapter(1))
    assert cache.revisions == ("d", "f")


def test_one_larger_than_the_budget_is_not_kept() -> None:
    cache = WarmCache(1024)
    assert not cache.put("a", adapter(2))
    assert cache.revisions == ()
    assert cache.counts.refusals == 1


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="budget: got -1 bytes"):
        WarmCache(-1)


@given(
    budget=st.integers(0, 8),
    acts=st.lists(st.tuples(st.sampled_from("gpd"), st.sampled_from("abcdef"), st.integers(1, 4))),
)
def test_the_cache_never_passes_its_budget_and_orders_by_use(
    budget: int, acts: list[tuple[str, str, int]]
) -> None:
    cache = WarmCache(budget * 1024)
    model: dict[str, int] = {}
    for act, name, kib in acts:
        if act == "g":
            assert (cache.get(name) is not None) == (name in model)
            if name in model:
                model[name] = model.pop(name)
        elif act == "d":
            cache.drop(name)
            model.pop(name, None)
        else:
            model.pop(name, None)
            if cache.put(name, adapter(kib)):
                while sum(model.values()) + kib > budget:
                    model.pop(next(iter(model)))
                model[name] = kib
            else:
                assert kib > budget
        assert cache.revisions == tuple(model)
        assert cache.nbytes == sum(model.values()) * 1024 <= budget * 1024
