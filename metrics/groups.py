"""What is measured of a cell at one step, group by group, under the ids of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from metrics.activity import action_counts, active_share, posts_per_user
from metrics.bipolarity import bimodality_coefficient, esteban_ray_polarization
from metrics.cascade import gini, top_share
from metrics.diffusion import FEWEST_FOR_SHAPE, cascade_shapes
from metrics.dispersion import dispersion
from metrics.moments import Moments
from metrics.networks.controversy import random_walk_controversy
from metrics.networks.diversity import hill_number
from metrics.networks.exposure import cross_side_following, echo_chamber
from metrics.networks.homophily import ei_index, within_community_homophily
from metrics.networks.interactions import (
    co_engagement_network,
    follow_network,
    reply_network,
    repost_network,
)
from metrics.networks.mixing import assortativity
from metrics.networks.partitions import find_partition
from metrics.polarization import mean_stance, polarization_distance, within_side_std
from metrics.text.diversity import compression_ratio

Values = dict[str, float]
_NAN = float("nan")

LATEST_TEXTS = 500
"""Texts that diversity is measured on: it falls as text grows, so the amount is held equal once it is there."""


def polarization(cell: Moments, step: int) -> Values:
    """Where users stand; nothing is known without a scorer."""
    scorer, side = cell.tables.scorer, cell.tables.side
    positive, negative = (scorer.positive_side, scorer.negative_side) if scorer else ("", "")
    values = polarization_values(
        cell.stance[step], side, cell.initial_distance, positive=positive, negative=negative
    )
    return values if scorer else dict.fromkeys(values, _NAN)


def polarization_values(
    stance: pd.Series[float], side: pd.Series[Any], initial: float, *, positive: str, negative: str
) -> Values:
    """The measures of the group `polarization` at one moment, however the stance came about.

    Args:
        stance: per user, NaN for those without one.
        side: per user, aligned by index.
        initial: polarization distance of the seeds alone.
        positive: label whose stance counts up.
        negative: the other.
    """
    return {
        "polarization_distance": polarization_distance(stance, side, positive=positive, negative=negative),
        "initial_polarization_distance": initial,
        "stance_mean_positive": mean_stance(stance, side, positive),
        "stance_mean_negative": mean_stance(stance, side, negative),
        "stance_std_positive": within_side_std(stance, side, positive),
        "stance_std_negative": within_side_std(stance, side, negative),
        "stance_coverage": float(stance.notna().mean()),
        "stance_std": dispersion(stance).std,
        "bimodality": bimodality_coefficient(stance),
        "esteban_ray": esteban_ray_polarization(stance),
    }


def communities(cell: Moments, step: int) -> Values:
    """Who meets whom at the same posts."""
    acts = cell.engagements
    network = co_engagement_network(acts[acts["step"] <= step], cell.tables.users)
    partition = find_partition(network, rng=np.random.default_rng([cell.seed, step]), restarts=cell.restarts)
    return {
        "effective_communities": hill_number(partition.sizes, 1.0),
        "effective_communities_simpson": hill_number(partition.sizes, 2.0),
        "community_count": hill_number(partition.sizes, 0.0),
        "co_engagement_modularity": partition.modularity,
        "community_side_homophily": within_community_homophily(partition.labels, cell.sides),
        "co_engagement_assortativity": assortativity(network, cell.sides),
        "co_engagement_ei": ei_index(network, cell.sides),
        "co_engagement_coverage": _share(int(partition.sizes.sum()), len(cell.tables.users)),
    }


def interactions(cell: Moments, step: int) -> Values:
    """Who follows, answers and reposts whom."""
    follows, acts, users = cell.tables.follows, cell.engagements, cell.tables.users
    following = follow_network(follows[follows["created_at"] <= step], users)
    acts = acts[acts["step"] <= step]
    replies, reposts = reply_network(acts, users), repost_network(acts, users)
    return {
        "follow_assortativity": assortativity(following, cell.sides),
        "cross_side_following": cross_side_following(following, cell.sides),
        "echo_chamber": echo_chamber(following, cell.stance[step].to_numpy()),
        "reply_assortativity": assortativity(replies, cell.sides),
        "repost_assortativity": assortativity(reposts, cell.sides),
        "repost_controversy": random_walk_controversy(reposts, cell.sides) if cell.two_sided else _NAN,
    }


def attention(cell: Moments, step: int) -> Values:
    """How likes and other engagement fall on posts."""
    counts, lives = cell.likes.so_far(step), cell.half_lives[step]
    return {
        "like_gini": gini(counts),
        "like_top_decile_share": top_share(counts, 0.1),
        "engagement_half_life": float(np.median(lives)) if len(lives) else _NAN,
    }


def cascades(cell: Moments, step: int) -> Values:
    """How posts are passed on and answered."""
    so_far = int(np.searchsorted(cell.nodes["step"], step, side="right"))
    shape = cascade_shapes(cell.nodes["parent"].to_numpy()[:so_far])
    grown, shaped = shape.size >= 2, shape.size >= FEWEST_FOR_SHAPE
    return {
        "cascade_share": _mean(grown),
        "cascade_size": _mean(shape.size[grown]),
        "cascade_depth": _mean(shape.depth[grown]),
        "cascade_depth_max": float(shape.depth[grown].max()) if grown.any() else _NAN,
        "cascade_breadth": _mean(shape.breadth[grown]),
        "structural_virality": _mean(shape.virality[shaped]),
    }


def activity(cell: Moments, step: int) -> Values:
    """How much was done."""
    posts, n_users = cell.tables.posts, len(cell.tables.users)
    original = posts.loc[posts["original_post_id"].isna(), "created_at"]
    so_far = cell.acts[cell.acts["step"] <= step]
    return {
        "comments": float((cell.tables.comments["created_at"] <= step).sum()),
        "original_posts": float((original <= step).sum()),
        **{f"actions_{action}": float(n) for action, n in action_counts(so_far).items()},
        "active_share": active_share(so_far, n_users),
        "posts_per_user": posts_per_user(so_far, n_users),
    }


def text(cell: Moments, step: int) -> Values:
    """How alike the latest texts are."""
    until = int(np.searchsorted(cell.words["step"], step, side="right"))
    latest = slice(max(0, until - LATEST_TEXTS), until)
    pairs = [pair for said in cell.word_pairs[latest] for pair in said]
    return {
        "distinct_2": _share(len(set(pairs)), len(pairs)),
        "compression_ratio": compression_ratio(cell.words["text"].iloc[latest].tolist()),
    }


def exposure(cell: Moments, step: int) -> Values:
    """What was shown in prompts."""
    return {"cross_side_exposure": _mean(cell.crossed.loc[cell.crossed["step"] <= step, "crossed"])}


GROUPS: tuple[Callable[[Moments, int], Values], ...] = (
    polarization,
    communities,
    interactions,
    attention,
    cascades,
    activity,
    text,
    exposure,
)
"""Every group of `metrics.catalogue` but the ledger's, in its order."""


def _mean(values: ArrayLike) -> float:
    numbers = np.asarray(values, dtype=np.float64)
    return float(numbers.mean()) if len(numbers) else _NAN


def _share(part: int, whole: int) -> float:
    return part / whole if whole else _NAN
