"""How far apart two adapters are: their updates ΔW compared, target by target, without ever forming ΔW.

With ΔW = s·B·A, the inner product of two updates at one linear is ⟨s₁B₁A₁, s₂B₂A₂⟩ = s₁s₂ Σ (B₁ᵀB₂) ∘ (A₁A₂ᵀ), a sum
over r × r. The norm of their difference comes from its own factors, [s₁B₁, −s₂B₂]·[A₁; A₂], reduced by two QR
decompositions: ‖BA‖ = ‖R_B R_Aᵀ‖ (Frobenius). Subtracting squared norms instead would lose the small differences of
near twins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from adapters.lora.adapter import Adapter, LoraPair


class UpdateComparison(NamedTuple):
    """Two adapters' updates at all linears of one target, or of all.

    Args:
        norm_one: Frobenius norm of the first's ΔW over these linears together.
        norm_other: of the second's.
        difference: Frobenius norm of ΔW₁ − ΔW₂; 0 for equal updates. None when a linear has other widths.
        cosine: of the angle between them: 1 the same direction, 0 unrelated, −1 opposite. None when one of
            them is zero, or a linear has other widths.
    """

    norm_one: float
    norm_other: float
    difference: float | None
    cosine: float | None


def compare_updates(one: Adapter, other: Adapter) -> dict[str, UpdateComparison]:
    """Compare two adapters of any ranks and scales; a linear that only one has counts as zero in the other.

    Returns:
        Target such as `q_proj`, in order of names, and `all` → comparison.
    """
    paths = sorted(one.pairs.keys() | other.pairs.keys())
    targets = sorted({path.rpartition(".")[2] for path in paths})
    groups = {t: [path for path in paths if path.rpartition(".")[2] == t] for t in targets}
    return {name: _compare(one, other, group) for name, group in (groups | {"all": paths}).items()}


def _compare(one: Adapter, other: Adapter, paths: Iterable[str]) -> UpdateComparison:
    squares_one = squares_other = squares = inner = 0.0
    comparable = True
    for path in paths:
        left, right = _factors(one, path), _factors(other, path)
        squares_one += _inner(left, left) if left else 0.0
        squares_other += _inner(right, right) if right else 0.0
        comparable = comparable and _same_widths(left, right)
        if comparable:
            squares += _square_of_difference(left, right)
            inner += _inner(left, right) if left and right else 0.0
    norms = math.sqrt(max(squares_one, 0.0)), math.sqrt(max(squares_other, 0.0))
    if not comparable:
        return UpdateComparison(*norms, None, None)
    length = norms[0] * norms[1]
    cosine = max(-1.0, min(1.0, inner / length)) if length else None
    return UpdateComparison(*norms, math.sqrt(squares), cosine)


def _factors(adapter: Adapter, path: str) -> LoraPair | None:
    """In double precision, with the scale inside B."""
    pair = adapter.pairs.get(path)
    if pair is None:
        return None
    return LoraPair(pair.A.detach().double().cpu(), adapter.spec.scale * pair.B.detach().double().cpu())


def _same_widths(left: LoraPair | None, right: LoraPair | None) -> bool:
    if left is None or right is None:
        return True
    return left.A.shape[1] == right.A.shape[1] and left.B.shape[0] == right.B.shape[0]


def _inner(left: LoraPair, right: LoraPair) -> float:
    return float(((left.B.T @ right.B) * (left.A @ right.A.T)).sum())


def _square_of_difference(left: LoraPair | None, right: LoraPair | None) -> float:
    """‖ΔW₁ − ΔW₂‖² at one linear."""
    terms = [(left.A, left.B)] if left else []
    terms += [(right.A, -right.B)] if right else []
    A, B = torch.cat([a for a, _ in terms]), torch.cat([b for _, b in terms], dim=1)
    return float((_triangle(B) @ _triangle(A.T).T).square().sum())


def _triangle(matrix: Tensor) -> Tensor:
    """R of the reduced QR decomposition of a tall matrix."""
    triangle: Tensor = torch.linalg.qr(matrix, mode="r").R
    return triangle
