"""From a model and a start to opinions over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.errors import OpinionError
from agents.opinion.neighbours import Neighbours
from agents.opinion.protocol import OpinionModel, Opinions, check_opinions


class Settled(NamedTuple):
    """Where a model came to rest.

    Args:
        opinions: [N] at the end.
        steps: how many were taken.
        converged: False when the most steps allowed were not enough.
    """

    opinions: Opinions
    steps: int
    converged: bool


def everybody(steps: int, size: int) -> NDArray[np.bool_]:
    """The synchronous schedule: [T, N], all agents at every step."""
    return np.ones((steps, size), dtype=np.bool_)


def simulate(
    model: OpinionModel,
    start: Opinions,
    neighbours: Neighbours,
    schedule: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Opinions:
    """Run a model along a schedule.

    Args:
        model: with its parameters.
        start: [N] opinions in [−1, 1].
        neighbours: of N agents.
        schedule: [T, N], who moves at each step, as `agents.activity.activation_schedule` draws it, or `everybody`.
        rng: equal generators give equal opinions.

    Returns:
        [T + 1, N]; row 0 is the start. Every value in [−1, 1].

    Raises:
        OpinionError: for shapes that do not fit or opinions out of range.
    """
    first = _checked(start, neighbours)
    if schedule.ndim != 2 or schedule.shape[1] != len(first):
        raise OpinionError(f"schedule: got shape {schedule.shape}; expected [T, {len(first)}]")
    path = np.empty((len(schedule) + 1, len(first)))
    path[0] = first
    for step, active in enumerate(schedule):
        path[step + 1] = model.step(path[step], active, neighbours, first, rng)
    return path


def settle(
    model: OpinionModel,
    start: Opinions,
    neighbours: Neighbours,
    rng: np.random.Generator,
    *,
    tolerance: float = 1e-6,
    most_steps: int = 10_000,
    patience: int = 50,
) -> Settled:
    """Run a model, everybody at every step, until it moves no more.

    Args:
        model: with its parameters.
        start: [N] opinions in [−1, 1].
        neighbours: of N agents.
        rng: of a random model.
        tolerance: greatest change of any opinion that counts as rest.
        most_steps: when to give up.
        patience: how many steps of rest in a row a random model must show, since chance may pause; a model
            without chance needs one.

    Raises:
        OpinionError: as `simulate`.
    """
    first = _checked(start, neighbours)
    active = np.ones(len(first), dtype=np.bool_)
    opinions, quiet, needed = first, 0, patience if model.RANDOM else 1
    for step in range(1, most_steps + 1):
        after = model.step(opinions, active, neighbours, first, rng)
        quiet = quiet + 1 if np.abs(after - opinions).max(initial=0.0) <= tolerance else 0
        opinions = after
        if quiet >= needed:
            return Settled(opinions, step, True)
    return Settled(opinions, most_steps, False)


def _checked(start: Opinions, neighbours: Neighbours) -> Opinions:
    first = check_opinions(start, "start")
    if len(first) != neighbours.size:
        raise OpinionError(f"start: {len(first)} opinions for {neighbours.size} agents; expected as many")
    return first
