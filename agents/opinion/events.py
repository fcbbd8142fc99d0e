"""Opinions stated one at a time: what each person says next, given everything said before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.errors import OpinionError
from agents.opinion.fitting import Fit, search
from agents.opinion.protocol import OpinionModel, Opinions


@dataclass(frozen=True, eq=False)
class Moments:
    """What was known just before each statement of somebody who had spoken before.

    Args:
        scale: [K] opinions that can be stated, rising, in [−1, 1].
        told: [E] index of what was stated then: the truth.
        own: [E] index of the same person's statement before.
        usual: [E] index of what that person had stated most often; of equally frequent ones, the latest.
        first: [E] index of that person's first statement.
        shares: [E, K] latest statements of everybody else as shares.
        row: [E] place among all statements, in the order of time.
    """

    scale: Opinions
    told: NDArray[np.int64]
    own: NDArray[np.int64]
    usual: NDArray[np.int64]
    first: NDArray[np.int64]
    shares: NDArray[np.float64]
    row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.told)

    def where(self, kept: NDArray[np.bool_]) -> Moments:
        """The chosen statements alone."""
        parts = {f.name: getattr(self, f.name)[kept] for f in fields(self) if f.name != "scale"}
        return Moments(scale=self.scale, **parts)


def moments(events: pd.DataFrame, values: Sequence[float]) -> Moments:
    """Replay statements in the order of time.

    Args:
        events: columns user and value (a member of `values`), in the order of time; of statements made at one
            time, an earlier row counts as said before a later one.
        values: the opinions that can be stated, rising.

    Raises:
        OpinionError: values that do not rise, or a statement that is none of them.
    """
    scale = np.asarray(values, dtype=np.float64)
    if len(scale) < 2 or (np.diff(scale) <= 0).any():
        raise OpinionError(f"values: got {list(values)}; expected at least two, rising")
    stated = np.searchsorted(scale, events["value"].to_numpy(dtype=np.float64))
    if (stated >= len(scale)).any() or not np.array_equal(scale[stated], events["value"]):
        raise OpinionError(f"events: a value that is none of {list(values)}")
    users, names = pd.factorize(events["user"])
    size, k = len(names), len(scale)
    latest, first = np.full(size, -1), np.full(size, -1)
    usual, counts = np.full(size, -1), np.zeros((size, k), dtype=np.int64)
    crowd = np.zeros(k)
    rows: list[tuple[int, int, int, int, int]] = []
    shares: list[NDArray[np.float64]] = []
    for row, (user, value) in enumerate(zip(users.tolist(), stated.tolist(), strict=True)):
        before = int(latest[user])
        if before >= 0:
            crowd[before] -= 1
            others = crowd.sum()
            if others:
                rows.append((value, before, int(usual[user]), int(first[user]), row))
                shares.append(crowd / others)
        else:
            first[user] = value
        counts[user, value] += 1
        if counts[user, value] >= counts[user, usual[user]] or usual[user] < 0:
            usual[user] = value
        latest[user] = value
        crowd[value] += 1
    table = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    return Moments(scale, table[0], table[1], table[2], table[3], np.array(shares).reshape(-1, k), table[4])


def expected_next(model: OpinionModel, known: Moments) -> Opinions:
    """[E] the opinion that a model expects each person to state next, in [−1, 1]."""
    own, first = known.scale[known.own], known.scale[known.first]
    return model.expected(own, known.scale, known.shares, first)


def nearest(expected: Opinions, scale: Opinions) -> NDArray[np.int64]:
    """[E] index of the statable opinion nearest to each expected one; of two, the lower."""
    closest: NDArray[np.int64] = np.abs(expected[:, None] - scale[None, :]).argmin(axis=1)
    return closest


def fit_events(kind: type[OpinionModel], known: Moments, rng: np.random.Generator) -> Fit:
    """Search a model's ranges for the parameters that expect best what people said next.

    Args:
        kind: the model's class.
        known: statements to learn from.
        rng: of the search.

    Returns:
        The fit; its loss is the share of wrong predictions.

    Raises:
        OpinionError: no statements.

    Source: ours. A prediction is the statable opinion nearest to the expected one. One step of the model lies
    between two statements of a person.
    """
    if not len(known):
        raise OpinionError("fit: nobody spoke twice; expected people with at least two statements")

    def loss(model: OpinionModel) -> float:
        return float((nearest(expected_next(model, known), known.scale) != known.told).mean())

    return search(kind, loss, rng)
