"""Where people stand, step by step: distributions of each side, and who moved from which band to which."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from metrics.stance_bands import BANDS, NO_BAND, band_edges, band_flows, band_shares
from sim.errors import RunDirError
from sim.numbers import counted, number
from sim.run_dir import RunDir
from sim.views.plotted import Plotted

STANCE_COLUMNS = ["condition", "seed", "step", "user_id", "side", "stance"]
HEAT_BANDS = 20
"""Parts of [−1, 1] in the heat map: steps of a tenth."""

MOST_KNOWN = 0.5
"""Share of users with a stance from which on moves are told in words; before, most are first stances."""


def stances(run: RunDir, size: int) -> pd.DataFrame:
    """Every user's stance at every step of all finished cells of a size.

    Returns:
        Columns `condition`, `seed`, `step`, `user_id`, `side`, `stance` ∈ [−1, 1] or NaN; cells in the order of
        the grid.

    Raises:
        RunDirError: when no cell of the size is finished.
    """
    done = [cell for cell in run.cells() if cell.done and cell.key.size == size]
    if not done:
        raise RunDirError(
            f"{run.path}: no cell of N = {size} is finished yet, and stances are written when a cell is. Look again "
            "later."
        )
    side = run.read_population(size).set_index("agent_id")["side"]
    frames = [cell.read_stance().assign(condition=cell.key.condition, seed=cell.key.seed) for cell in done]
    users = pd.concat(frames, ignore_index=True)
    return users.assign(side=users["user_id"].map(side))[STANCE_COLUMNS]


def of_seed(users: pd.DataFrame, seed: int | None) -> pd.DataFrame:
    """The rows of one seed; all of them for None."""
    return users if seed is None else users[users["seed"] == seed]


def spread_over_steps(users: pd.DataFrame) -> Plotted:
    """How each side of each condition is spread over [−1, 1], step by step.

    Args:
        users: rows of `stances`.

    Returns:
        Columns `condition`, `side`, `step`, `band`, `middle` (of the band, in stance), `users`, `share` ∈ [0, 1] of the
        side's users with a stance at the step.
    """
    shares = band_shares(users, ["condition", "side", "step"], HEAT_BANDS)
    order = {condition: place for place, condition in enumerate(users["condition"].unique())}
    shares = shares.sort_values("condition", key=lambda c: c.map(order), kind="stable", ignore_index=True)
    edges = band_edges(HEAT_BANDS)
    frame = shares.assign(middle=((edges[1:] + edges[:-1]) / 2)[shares["band"]])
    last = int(users["step"].max())
    title = (
        f"Stance of each side from step 0 to {last}: share of its users in each tenth of stance, {_of(users)}"
    )
    return Plotted(frame, title, _spread_words(users, last))


def stance_at(users: pd.DataFrame, step: int) -> Plotted:
    """The users of one step.

    Args:
        users: rows of `stances`.
        step: from 0 to the last.

    Returns:
        As `stances`.
    """
    title = f"Stance of users after step {step} by side, {_of(users)}"
    return Plotted(users[users["step"] == step], title, _spread_words(users, step))


def _of(users: pd.DataFrame) -> str:
    """How many agents and which seeds these are, in words."""
    seeds = users["seed"].unique()
    which = f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds together"
    return f"N = {users['user_id'].nunique()}, {which}"


def _spread_words(users: pd.DataFrame, step: int) -> str:
    """Median and middle half of each side and condition at a step, in words."""
    at = users[users["step"] == step]
    said = []
    for condition in at["condition"].unique():
        sides = []
        for side, stance in at[at["condition"] == condition].groupby("side")["stance"]:
            known = stance.dropna()
            if known.empty:
                sides.append(f"{side}: nobody has shown a stance")
            else:
                low, middle, high = (number(q, signed=True) for q in known.quantile([0.25, 0.5, 0.75]))
                sides.append(f"{side} {middle} (middle half {low} to {high}, {counted(len(known), 'user')})")
        said.append(f"{condition}: {'; '.join(sides)}.")
    return f"Median stance after step {step}. {' '.join(said)}"


def moments(last: int, count: int) -> list[int]:
    """So many steps from 0 to the last, evenly spaced as far as whole steps allow; fewer where there are fewer."""
    spaced = np.linspace(0, last, min(count, last + 1)).round()
    return [int(step) for step in np.unique(spaced)]


def band_names() -> dict[int, str]:
    """Band → its ends in stance, from the positive end down; users without a stance last."""
    edges = band_edges()
    ends = [f"{low:+.1f} to {high:+.1f}".replace("-", "−") for low, high in pairwise(edges)]
    return {**{band: ends[band] for band in reversed(range(BANDS))}, NO_BAND: "no stance yet"}


def flows(users: pd.DataFrame, steps: Sequence[int]) -> Plotted:
    """Who went from which band of stance to which between the steps, seeds added up.

    Args:
        users: rows of `stances`.
        steps: at least two, rising.

    Returns:
        Columns `condition`, `step`, `to_step`, `band`, `to_band`, `users` and `share` ∈ (0, 1] of the condition's
        users; bands as `band_names`.
    """
    parts = [
        band_flows(cell, steps).assign(condition=str(condition))
        for (condition, _), cell in users.groupby(["condition", "seed"], sort=False)
    ]
    keys = ["condition", "step", "to_step", "band", "to_band"]
    frame = pd.concat(parts, ignore_index=True).groupby(keys, sort=False)["users"].sum().reset_index()
    total = frame.groupby(["condition", "step"])["users"].transform("sum")
    frame = frame.assign(share=frame["users"] / total)
    title = f"Who moves between bands of stance from step {steps[0]} to {steps[-1]}, {_of(users)}"
    return Plotted(frame, title, _flow_words(users, steps))


def _flow_words(users: pd.DataFrame, steps: Sequence[int]) -> str:
    """What became of each condition's users, from the first of the steps at which most have a stance to the last."""
    said, last = [], steps[-1]
    for condition, of in users.groupby("condition", sort=False):
        known = of.groupby("step")["stance"].agg(lambda stance: stance.notna().mean())
        first = next((step for step in steps[:-1] if known[step] >= MOST_KNOWN), steps[-2])
        whole = pd.concat(band_flows(cell, [first, last]) for _, cell in of.groupby("seed"))
        everybody = whole["users"].sum()
        both = (whole["band"] != NO_BAND) & (whole["to_band"] != NO_BAND)
        kinds = {
            "stay in their band": both & (whole["band"] == whole["to_band"]),
            "move towards the positive end": both & (whole["to_band"] > whole["band"]),
            "move towards the negative end": both & (whole["to_band"] < whole["band"]),
            "show a stance for the first time": (whole["band"] == NO_BAND) & (whole["to_band"] != NO_BAND),
            "never show one": whole["to_band"] == NO_BAND,
        }
        shares = [
            f"{whole.loc[rows, 'users'].sum() / everybody:.0%} {kind}"
            for kind, rows in kinds.items()
            if rows.any()
        ]
        said.append(f"{condition}, from step {first} to {last}: {', '.join(shares)}.")
    return " ".join(said)
