"""All measures of one cell at any steps: what a simulation calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from metrics.activity import action_counts, active_share, acts_frame, posts_per_user
from metrics.cascade import gini, likes_per_post, top_share
from metrics.communities import (
    RESTARTS,
    effective_communities,
    inverse_simpson,
    leiden_partition,
    side_homophily,
)
from metrics.engagement import co_engagement, engagements
from metrics.errors import MetricInputError
from metrics.exposure import cross_side
from metrics.graph import assortativity
from metrics.polarization import mean_stance, polarization_distance, within_side_std
from metrics.stance.users import StanceWeights, stance_evidence, user_stance, user_stance_by_step
from metrics.tables import CellTables

Values = dict[str, float]
_NAN = float("nan")


def measure_cell(
    tables: CellTables,
    steps: Sequence[int] | None = None,
    *,
    rng: np.random.Generator,
    restarts: int = RESTARTS,
) -> pd.DataFrame:
    """Every metric of the catalogue but those of the ledger, for everything up to and including each step.

    The value at a step does not depend on which other steps are asked for.

    Args:
        tables: of one cell.
        steps: each ≥ 0; None means every step from 0 to the last that left a row. The last step asked for
            is "final" only if it is the cell's last.
        rng: seeds the community search; the same state gives the same values.
        restarts: runs of the community search to choose from.

    Returns:
        Columns `step`, `metric` (ids of `metrics.catalogue`, in its order), `value`; NaN where a metric has
        no value, for the reason its catalogue entry gives.

    Raises:
        MetricInputError: a negative step, or tables that do not fit together.
    """
    moments = list(range(tables.last_step + 1)) if steps is None else list(steps)
    if negative := [step for step in moments if step < 0]:
        raise MetricInputError(f"steps: got {negative[0]}; expected 0 (seeds) or more")
    seed = int(rng.integers(2**63))
    parts = [
        _polarization(tables, moments),
        _communities(tables, moments, seed, restarts),
        _attention(tables, moments),
        _activity(tables, moments),
        _exposure(tables, moments),
    ]
    rows = [
        (step, metric, value) for step in moments for part in parts for metric, value in part[step].items()
    ]
    return pd.DataFrame(rows, columns=["step", "metric", "value"])


def final_values(values: pd.DataFrame) -> pd.DataFrame:
    """The rows of the last step, columns `metric` and `value`; empty input gives an empty table."""
    final: pd.DataFrame = values.loc[values["step"] == values["step"].max(), ["metric", "value"]]
    return final.reset_index(drop=True)


def _polarization(tables: CellTables, steps: list[int]) -> Mapping[int, Values]:
    scorer, side = tables.scorer, tables.side
    if scorer is None:
        return {step: dict.fromkeys(_POLARIZATION, _NAN) for step in steps}
    positive, negative = scorer.positive_side, scorer.negative_side
    evidence = stance_evidence(tables.posts, tables.comments, tables.likes, tables.dislikes, scorer)
    seeded = user_stance(evidence, tables.users, StanceWeights.seeds_only())
    initial = polarization_distance(seeded, side, positive=positive, negative=negative)
    by_step = user_stance_by_step(evidence, tables.users, steps, tables.weights)
    values = {}
    for step in steps:
        stance = by_step[step]
        measured = (
            polarization_distance(stance, side, positive=positive, negative=negative),
            initial,
            mean_stance(stance, side, positive),
            mean_stance(stance, side, negative),
            within_side_std(stance, side, positive),
            within_side_std(stance, side, negative),
            float(stance.notna().mean()),
        )
        values[step] = dict(zip(_POLARIZATION, measured, strict=True))
    return values


_POLARIZATION = (
    "polarization_distance",
    "initial_polarization_distance",
    "stance_mean_positive",
    "stance_mean_negative",
    "stance_std_positive",
    "stance_std_negative",
    "stance_coverage",
)


def _communities(tables: CellTables, steps: list[int], seed: int, restarts: int) -> Mapping[int, Values]:
    acts = engagements(tables.posts, tables.comments, tables.likes, tables.dislikes)
    sides = tables.side.to_numpy(dtype=object)
    values: dict[int, Values] = {}
    for step in steps:
        graph = co_engagement(acts[acts["step"] <= step], tables.users)
        rng = np.random.default_rng([seed, step])
        partition = leiden_partition(graph, rng=rng, restarts=restarts)
        values[step] = {
            "effective_communities": effective_communities(partition.sizes),
            "effective_communities_simpson": inverse_simpson(partition.sizes),
            "co_engagement_modularity": partition.modularity,
            "community_side_homophily": side_homophily(partition.labels, tables.side),
            "co_engagement_assortativity": assortativity(graph, sides),
            "co_engagement_coverage": _share(int(partition.sizes.sum()), len(tables.users)),
        }
    return values


def _attention(tables: CellTables, steps: list[int]) -> Mapping[int, Values]:
    values: dict[int, Values] = {}
    for step in steps:
        posts = tables.posts[tables.posts["created_at"] <= step]
        counts = likes_per_post(posts, tables.likes[tables.likes["created_at"] <= step]).to_numpy()
        values[step] = {"like_gini": gini(counts), "like_top_decile_share": top_share(counts, 0.1)}
    return values


def _activity(tables: CellTables, steps: list[int]) -> Mapping[int, Values]:
    acts = acts_frame(tables.posts, tables.comments, tables.likes, tables.dislikes, tables.follows)
    original = tables.posts.loc[tables.posts["original_post_id"].isna(), "created_at"]
    n_users = len(tables.users)
    values: dict[int, Values] = {}
    for step in steps:
        so_far = acts[acts["step"] <= step]
        values[step] = {
            "comments": float((tables.comments["created_at"] <= step).sum()),
            "original_posts": float((original <= step).sum()),
            **{f"actions_{action}": float(n) for action, n in action_counts(so_far).items()},
            "active_share": active_share(so_far, n_users),
            "posts_per_user": posts_per_user(so_far, n_users),
        }
    return values


def _exposure(tables: CellTables, steps: list[int]) -> Mapping[int, Values]:
    crossed = cross_side(tables.exposures, tables.posts, tables.side)
    shown = {step: crossed.loc[crossed["step"] <= step, "crossed"] for step in steps}
    return {step: {"cross_side_exposure": float(rows.mean())} for step, rows in shown.items()}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else _NAN
