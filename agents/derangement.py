"""Permutations that leave nobody in place: the `permuted` control hands everybody somebody else's adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from agents.errors import PopulationError

Permute = Literal["any", "within_side", "across_side"]
PERMUTATIONS: tuple[Permute, ...] = get_args(Permute)


def derangement(
    sides: Sequence[str | None], rng: np.random.Generator, permute: Permute = "any"
) -> NDArray[np.int64]:
    """Draw a permutation π of 0..N-1 with π(i) ≠ i everywhere.

    Under `within_side`, π(i) has the side of i; under `across_side`, another one. The draw is uniform for
    `any`, for `within_side`, and for `across_side` with two sides; with more sides the last mixes
    within sides only.

    Args:
        sides: label of each of the N agents; unknown ones (None) count as one side.
        rng: decides.
        permute: which images are allowed.

    Returns:
        Array (N,) of the images.

    Raises:
        PopulationError: when no such permutation exists.
    """
    labels = np.array(["" if side is None else side for side in sides], dtype=object)
    groups = [np.flatnonzero(labels == side) for side in dict.fromkeys(labels)]
    match permute:
        case "any":
            return _deranged(np.arange(len(labels)), len(labels), rng)
        case "within_side":
            image = np.arange(len(labels))
            for members in groups:
                image[members] = _deranged(members, len(labels), rng)
            return image
        case "across_side":
            return _swapped(groups, len(labels), rng)
    raise PopulationError(f"permute: got {permute!r}; expected one of {', '.join(PERMUTATIONS)}")


def _deranged(members: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A uniform derangement of `members`, by rejection: about e tries."""
    if len(members) < 2:
        raise PopulationError(
            f"condition permuted: a group of {len(members)} (of {size} agents) has nobody to swap adapters "
            "with; expected at least 2 agents, and 2 of each side under adapters.permute: within_side"
        )
    while True:
        image = rng.permutation(members)
        if not (image == members).any():
            return image


def _swapped(groups: Sequence[NDArray[np.int64]], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sides laid end to end and shifted by the length of the largest.

    The shift leaves every side, since none is longer than it and none holds more than half of all.
    """
    shift = max(map(len, groups), default=0)
    if size == 0 or 2 * shift > size:
        raise PopulationError(
            f"condition permuted, across_side: the largest side has {shift} of {size} agents; expected at "
            "most half. Set population.side_shares to balanced, or adapters.permute to any."
        )
    receivers = np.concatenate([rng.permutation(members) for members in groups])
    donors = np.concatenate([rng.permutation(members) for members in groups])
    image = np.empty(size, dtype=np.int64)
    image[receivers] = np.roll(donors, -shift)
    return image
