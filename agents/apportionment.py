"""How many agents each side gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agents.errors import PopulationError

SideShares = Literal["balanced", "corpus"]


def seats(
    size: int, available: Mapping[str, int], side_shares: SideShares | Mapping[str, float]
) -> dict[str, int]:
    """Split `size` agents among sides by largest remainder (ties: more users first, then by name).

    Args:
        size: N, at least 1.
        available: side to number of users there are.
        side_shares: `balanced` (as many from each side), `corpus` (in the corpus's proportions), or side to
            weight, at least 0 and not all 0.

    Raises:
        PopulationError: when a side has too few users, naming the largest size that works; for an unknown
            side or weights that cannot be shares.
    """
    weights = _weights(available, side_shares)
    wanted = _largest_remainder(size, available, weights)
    short = [side for side, count in wanted.items() if count > available[side]]
    if short:
        most = next(
            n
            for n in range(size, -1, -1)
            if all(c <= available[s] for s, c in _largest_remainder(n, available, weights).items())
        )
        side = short[0]
        raise PopulationError(
            f"population.size: got {size}, which takes {wanted[side]} users of side {side!r}; the corpus has "
            f"{available[side]} with enough posts ({', '.join(f'{s}: {n}' for s, n in available.items())}). "
            f"Set population.size to at most {most}, lower population.train_posts, or change "
            "population.side_shares."
        )
    return wanted


def _weights(available: Mapping[str, int], side_shares: SideShares | Mapping[str, float]) -> dict[str, float]:
    match side_shares:
        case "balanced":
            return dict.fromkeys(available, 1.0)
        case "corpus":
            return {side: float(count) for side, count in available.items()}
        case str():
            raise PopulationError(
                f"population.side_shares: got {side_shares!r}; expected balanced, corpus or a weight per side"
            )
    unknown = sorted(set(side_shares) - set(available))
    if unknown:
        raise PopulationError(
            f"population.side_shares: the corpus has no side {unknown[0]!r}; it has {', '.join(available)}"
        )
    weights = side_shares.values()
    if not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
        raise PopulationError(
            f"population.side_shares: got {dict(side_shares)}; expected weights of at least 0, not all 0"
        )
    return {side: float(side_shares.get(side, 0)) for side in available}


def _largest_remainder(
    size: int, available: Mapping[str, int], weights: Mapping[str, float]
) -> dict[str, int]:
    """Hamilton's method."""
    total = sum(weights.values())
    exact = {side: size * weight / total for side, weight in weights.items()}
    given = {side: int(share) for side, share in exact.items()}
    first = sorted(exact, key=lambda side: (given[side] - exact[side], -available[side], side))
    for side in first[: size - sum(given.values())]:
        given[side] += 1
    return given
