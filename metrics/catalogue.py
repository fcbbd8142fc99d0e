"""What every metric is called, measured in and means: the table behind reports and documentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from metrics.activity import ACTIONS

Group = Literal["polarization", "communities", "attention", "activity", "exposure", "failures"]

_P = "arXiv 2606.02437 tables 6–7"


@dataclass(frozen=True, slots=True)
class Metric:
    """One measure.

    Args:
        id: as in the `metric` column of every result.
        label: for tables and plots.
        group: what it is about.
        unit: `stance` (−1 … 1), `share`, `index`, `communities`, `users`, `posts`, `rows` …
        low: least possible value.
        high: greatest possible value; infinity where there is none.
        higher_means: how a larger value reads.
        definition: how it is counted, in one sentence.
        nan_means: when it has no value.
        source: where the definition comes from.
        ratio: whether "x times as much" makes sense: a quantity that cannot be negative and has a true zero.
    """

    id: str
    label: str
    group: Group
    unit: str
    low: float
    high: float
    higher_means: str
    definition: str
    nan_means: str
    source: str
    ratio: bool


def _std(which: str) -> Metric:
    return Metric(
        f"stance_std_{which}", f"Stance std, {which} side", "polarization", "stance", 0.0, 1.0,
        "members of the side are less alike",
        f"population standard deviation of user stance within the {which} side",
        "fewer than two users of the side have a stance", f"{_P}; formula ours", True,
    )  # fmt: skip


def _mean(which: str) -> Metric:
    return Metric(
        f"stance_mean_{which}", f"Mean stance, {which} side", "polarization", "stance", -1.0, 1.0,
        "the side stands nearer to the positive end",
        f"mean of user stance within the {which} side",
        "nobody of the side has a stance", "attitude bias of a group, arXiv 2402.16333", False,
    )  # fmt: skip


def _action(action: str) -> Metric:
    return Metric(
        f"actions_{action}", f"Actions: {action}", "activity", "rows", 0.0, math.inf, "more of it was done",
        f"rows left by {action} from step 1 on", "never", "ours", True,
    )  # fmt: skip


_METRICS: tuple[Metric, ...] = (
    Metric(
        "polarization_distance", "Polarization distance", "polarization", "stance", -2.0, 2.0,
        "the sides stand further apart, each at its own end",
        "mean user stance of the positive side minus that of the negative side, of what users did",
        "a side without any user who showed a stance",
        f"{_P} (final polarization distance); formula ours", False,
    ),
    Metric(
        "initial_polarization_distance", "Initial polarization distance", "polarization", "stance", -2.0, 2.0,
        "the seed posts stood further apart", "the same of the seeds (step 0) alone; equal in all conditions",
        "a side without a seed that has a stance", "arXiv 2606.02437 §5.2; formula ours", False,
    ),
    _mean("positive"), _mean("negative"), _std("positive"), _std("negative"),
    Metric(
        "stance_coverage", "Users with a stance", "polarization", "share", 0.0, 1.0,
        "more users wrote or liked something", "share of users whose stance is known", "no users",
        "ours", True,
    ),
    Metric(
        "effective_communities", "Effective interaction communities", "communities", "communities",
        1.0, math.inf, "more groups of users meet at different posts",
        "exp(Shannon entropy of community sizes), Leiden partition of the co-engagement graph",
        "nobody met anybody at a post", f"{_P}; formula ours (Hill number of order 1)", True,
    ),
    Metric(
        "effective_communities_simpson", "Effective communities (inverse Simpson)", "communities",
        "communities", 1.0, math.inf, "the same, counting large groups more",
        "1 / Σ share² of the same partition",
        "nobody met anybody at a post", "ours (Hill number of order 2)", True,
    ),
    Metric(
        "co_engagement_modularity", "Co-engagement modularity", "communities", "index", -0.5, 1.0,
        "meetings stay more within communities",
        "Newman's Q of the Leiden partition; weight = posts in common",
        "nobody met anybody at a post", f"{_P}; weight ours", True,
    ),
    Metric(
        "community_side_homophily", "Within-community side homophily", "communities", "share", 0.0, 1.0,
        "communities are more one-sided; compare with the same-side share of all pairs",
        "same-side pairs among pairs inside a community, averaged by community size",
        "no community with two members of known side", f"{_P}; weighting ours", True,
    ),
    Metric(
        "co_engagement_assortativity", "Co-engagement side assortativity", "communities", "index", -1.0, 1.0,
        "users meet their own side more than chance would have it",
        "Newman's assortativity of sides on the co-engagement graph; 0 is chance",
        "no meeting between users of known side, or only one side met", "Newman 2003", False,
    ),
    Metric(
        "co_engagement_coverage", "Users in the co-engagement graph", "communities", "share", 0.0, 1.0,
        "more users met somebody at a post", "share of users with at least one post in common with another",
        "no users", "ours", True,
    ),
    Metric(
        "like_gini", "Gini of likes per post", "attention", "index", 0.0, 1.0, "likes fall on fewer posts",
        "Gini coefficient of likes over all posts and quotes, those without likes and seeds included",
        "no likes, or fewer than two posts", f"{_P} (cascade Gini on likes)", True,
    ),
    Metric(
        "like_top_decile_share", "Likes on the top tenth of posts", "attention", "share", 0.0, 1.0,
        "likes fall on fewer posts", "likes on the most liked 10% of posts (rounded up) over all likes",
        "no likes", _P, True,
    ),
    Metric(
        "comments", "Comments", "activity", "rows", 0.0, math.inf, "more comments",
        "rows of the comment table, seeds included", "never", f"{_P} (rows in the database)", True,
    ),
    Metric(
        "original_posts", "Original posts", "activity", "rows", 0.0, math.inf, "more original posts",
        "rows of the post table without original_post_id, seeds included", "never",
        f"{_P} (rows in the database)", True,
    ),
    *(_action(action) for action in ACTIONS),
    Metric(
        "active_share", "Active users", "activity", "share", 0.0, 1.0, "more users did something",
        "share of users with any action that left a row, from step 1 on", "no users", "ours", True,
    ),
    Metric(
        "posts_per_user", "Posts per user", "activity", "posts", 0.0, math.inf, "users write more",
        "own posts and quotes from step 1 on over all users", "no users", "ours", True,
    ),
    Metric(
        "cross_side_exposure", "Prompt-level cross-side exposure", "exposure", "share", 0.0, 1.0,
        "users were shown more of the other side",
        "share of posts shown in prompts whose author is of the other side, own posts left out",
        "nothing shown between users of known side", "arXiv 2606.02437 §5.2 (0.16–0.18 in every cell)", True,
    ),
    Metric(
        "failure_rate", "Failed decisions", "failures", "share", 0.0, 1.0, "more decisions came to nothing",
        "ledger rows with an error_kind over all ledger rows", "no decision was asked for", "ours", False,
    ),
    Metric(
        "truncation_rate", "Truncated replies", "failures", "share", 0.0, 1.0,
        "more replies hit the token limit", "ledger rows with finish_reason length over all ledger rows",
        "no decision was asked for", "ours", False,
    ),
    Metric(
        "do_nothing_share", "Decisions to do nothing", "failures", "share", 0.0, 1.0, "users act less",
        "do_nothing rows without error_kind over all without",
        "no decision succeeded", "ours", True,
    ),
)  # fmt: skip

CATALOGUE: dict[str, Metric] = {metric.id: metric for metric in _METRICS}
"""Every metric by id, in the order of reports."""

LEDGER_METRICS: tuple[str, ...] = tuple(m.id for m in _METRICS if m.group == "failures")
"""Those that `metrics.failures.measure_ledger` gives; `metrics.measure.measure_cell` gives all others."""

RATIO_METRICS: frozenset[str] = frozenset(m.id for m in _METRICS if m.ratio)
"""Those for which "x times as much" makes sense."""


def catalogue_frame() -> pd.DataFrame:
    """The catalogue as a table, one row a metric, columns as the fields of `Metric`."""
    return pd.DataFrame([{name: getattr(m, name) for name in Metric.__slots__} for m in _METRICS])
