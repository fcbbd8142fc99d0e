from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.difference import compare_updates
from adapters.lora.spec import LoraSpec

PATHS = ("model.layers.0.q_proj", "model.layers.1.q_proj", "model.layers.0.v_proj")


def adapter(
    seed: int, rank: int = 2, alpha: float = 4.0, paths: tuple[str, ...] = PATHS, width: int = 6
) -> Adapter:
    generator = torch.Generator().manual_seed(seed)
    targets = tuple({path.rpartition(".")[2] for path in paths})
    pairs = {
        path: LoraPair(
            torch.randn(rank, width, generator=generator), torch.randn(5, rank, generator=generator)
        )
        for path in paths
    }
    return Adapter(LoraSpec(rank, alpha, targets), pairs)


def dense(one: Adapter, path: str) -> Tensor:
    """ΔW itself, which the module never forms."""
    pair = one.pairs[path]
    return one.spec.scale * pair.B.double() @ pair.A.double()


@settings(max_examples=30)
@given(
    seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    ranks=st.tuples(st.integers(1, 8), st.integers(1, 8)),
)
def test_norms_differences_and_cosines_are_those_of_the_full_matrices(
    seeds: tuple[int, int], ranks: tuple[int, int]
) -> None:
    one, other = (adapter(seed, rank, alpha=3.0 + rank) for seed, rank in zip(seeds, ranks, strict=True))
    found = compare_updates(one, other)
    assert list(found) == ["q_proj", "v_proj", "all"]
    for name, comparison in found.items():
        paths = [path for path in PATHS if name in ("all", path.rpartition(".")[2])]
        left, right = (torch.cat([dense(a, path).flatten() for path in paths]) for a in (one, other))
        expected = (
            left.norm(),
            right.norm(),
            (left - right).norm(),
            left @ right / left.norm() / right.norm(),
        )
        assert comparison == pytest.approx(tuple(map(float, expected)), rel=1e-9, abs=1e-6)


def test_near_twins_keep_their_small_difference() -> None:
    """A change of 1e-6 in one value of B is seen as such, which squared norms would drown in rounding."""
    one = adapter(0)
    pairs = dict(one.pairs)
    B = pairs[PATHS[0]].B.double().clone()
    B[0, 0] += 1e-6
    pairs[PATHS[0]] = LoraPair(pairs[PATHS[0]].A.double(), B)
    found = compare_updates(one, Adapter(one.spec, pairs))["all"]
    # ΔW changes in one row, by s · 1e-6 · A[0]
    assert found.difference == pytest.approx(
        one.spec.scale * 1e-6 * float(one.pairs[PATHS[0]].A[0].double().norm()), rel=1e-6
    )
    assert found.cosine == pytest.approx(1.0)


def test_opposite_zero_and_missing_updates() -> None:
    one = adapter(0)
    opposite = Adapter(one.spec, {path: pair._replace(B=-pair.B) for path, pair in one.pairs.items()})
    found = compare_updates(one, opposite)["all"]
    assert found.cosine == pytest.approx(-1.0)
    assert found.difference == pytest.approx(2 * found.norm_one)
    zero = Adapter(one.spec, {path: pair._replace(B=0 * pair.B) for path, pair in one.pairs.items()})
    found = compare_updates(one, zero)["all"]
    assert (found.norm_other, found.cosine) == (0.0, None)
    assert found.difference == pytest.approx(found.norm_one)
    fewer = compare_updates(one, adapter(0, paths=PATHS[:2]))
    assert fewer["v_proj"].norm_other == 0.0
    assert fewer["v_proj"].difference == pytest.approx(fewer["v_proj"].norm_one)


def test_adapters_of_different_bases_have_norms_only() -> None:
    found = compare_updates(adapter(0), adapter(1, width=7))["all"]
    assert (found.difference, found.cosine) == (None, None)
    assert min(found.norm_one, found.norm_other) > 0
