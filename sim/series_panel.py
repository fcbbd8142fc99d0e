"""A real series on an even grid of time, cut into a part to learn from and a part to be judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.series.attitudes import GroupSeries, group_series, shares_series
from sim.errors import SeriesError
from sim.series_input import Shares, Statements

AGENTS = 200
"""Agents that stand for a group of which only shares are known."""


@dataclass(frozen=True, eq=False)
class Panel:
    """What models start from and are held against.

    Args:
        times: [T + 1] grid, evenly spaced.
        cut: index of the last grid point of the training part; tests are on all later ones.
        real: bias and diversity at each grid point.
        start: [N] opinions at the first grid point.
        at_cut: [N] opinions at the cut.
        people: [T + 1, N] everybody's latest stance; None for shares, where nobody is known.
        dated: times are days since 1970.
    """

    times: NDArray[np.float64]
    cut: int
    real: GroupSeries
    start: NDArray[np.float64]
    at_cut: NDArray[np.float64]
    people: NDArray[np.float64] | None
    dated: bool

    @property
    def test_steps(self) -> int:
        """Grid points after the cut."""
        return len(self.times) - 1 - self.cut

    @property
    def test(self) -> GroupSeries:
        """The real series after the cut."""
        return GroupSeries(self.real.bias[self.cut + 1 :], self.real.diversity[self.cut + 1 :])


def panel_of(series: Statements | Shares, *, steps: int, train: float) -> Panel:
    """Lay a series on a grid.

    A stance or share holds until the next one. For statements the panel is everybody who has spoken by the first
    moment at which half of all people had, and two at least (moments before it are left out), so that the group
    stays the same people throughout.

    Args:
        series: as read.
        steps: T, intervals of the grid.
        train: share of the steps to learn from, in (0, 1).

    Raises:
        SeriesError: too little to learn from or to judge on, such as people of whom none speaks after the cut.
    """
    cut = round(train * steps)
    if not 1 <= cut <= steps - 2:
        raise SeriesError(
            f"train {train:g} of {steps} steps: expected at least 1 step to learn from and 2 to be judged on"
        )
    if isinstance(series, Shares):
        return _of_shares(series, steps, cut)
    return _of_statements(series, steps, cut)


def share_agents(approve: float, disapprove: float, size: int = AGENTS) -> NDArray[np.float64]:
    """Whole agents at 1, −1 and 0 in about the given shares: exactly 1 apart, as bounds of confidence need it."""
    down = round(disapprove * size)
    up = min(round(approve * size), size - down)
    return np.repeat([1.0, -1.0, 0.0], [up, down, size - up - down])


def _of_shares(series: Shares, steps: int, cut: int) -> Panel:
    frame = series.frame
    if len(frame) < 3:
        raise SeriesError(f"{series.source}: {len(frame)} moments; expected at least 3")
    times = _grid(frame["time"], series.source, steps)
    place = np.searchsorted(frame["time"].to_numpy(), times, side="right") - 1
    approve, disapprove = (frame[name].to_numpy()[place] for name in ("approve", "disapprove"))
    return Panel(
        times,
        cut,
        shares_series(approve, disapprove),
        share_agents(approve[0], disapprove[0]),
        share_agents(approve[cut], disapprove[cut]),
        None,
        series.dated,
    )


def _of_statements(series: Statements, steps: int, cut: int) -> Panel:
    frame = series.frame
    first = frame.groupby("user")["time"].min().sort_values(kind="stable")
    if len(first) < 2:
        raise SeriesError(f"{series.source}: {len(first)} person; expected at least 2")
    begin = float(first.iloc[max(1, (len(first) - 1) // 2)])
    members = first.index[first <= begin].sort_values()
    times = _grid(frame.loc[frame["time"] >= begin, "time"], series.source, steps)
    people = np.empty((len(times), len(members)))
    own = {user: (part["time"].to_numpy(), part["value"].to_numpy()) for user, part in frame.groupby("user")}
    for column, user in enumerate(members):
        when, what = own[user]
        people[:, column] = what[np.searchsorted(when, times, side="right") - 1]
    if not ((frame["time"] > times[cut]) & frame["user"].isin(members)).any():
        raise SeriesError(
            f"{series.source}: none of the panel's {len(members)} people speaks in the last {steps - cut} of {steps} "
            "steps, so there is nothing to be judged on; expected people with several statements each"
        )
    return Panel(times, cut, group_series(people), people[0], people[cut], people, series.dated)


def _grid(times: pd.Series[float], source: str, steps: int) -> NDArray[np.float64]:
    begin, end = float(times.min()), float(times.max())
    if not end > begin:
        raise SeriesError(f"{source}: all rows are of one time; expected a series")
    return np.linspace(begin, end, steps + 1)
