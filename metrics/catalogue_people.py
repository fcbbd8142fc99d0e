"""Entries of the catalogue about people: where they stand, whom they meet, follow and answer."""

from __future__ import annotations

import math

from metrics.metric import PAPER, Metric


def _std(which: str) -> Metric:
    return Metric(
        f"stance_std_{which}", f"Stance std, {which} side", "polarization", "stance", 0.0, 1.0,
        "members of the side are less alike",
        f"population standard deviation of user stance within the {which} side",
        "fewer than two users of the side have a stance", f"{PAPER}; formula ours", True,
    )  # fmt: skip


def _mean(which: str) -> Metric:
    return Metric(
        f"stance_mean_{which}", f"Mean stance, {which} side", "polarization", "stance", -1.0, 1.0,
        "the side stands nearer to the positive end",
        f"mean of user stance within the {which} side",
        "nobody of the side has a stance", "attitude bias of a group, arXiv 2402.16333", False,
    )  # fmt: skip


PEOPLE: tuple[Metric, ...] = (
    Metric(
        "polarization_distance", "Polarization distance", "polarization", "stance", -2.0, 2.0,
        "the sides stand further apart, each at its own end",
        "mean user stance of the positive side minus that of the negative side, of what users did",
        "a side without any user who showed a stance",
        f"{PAPER} (final polarization distance); formula ours", False,
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
        "stance_std", "Stance std, everybody", "polarization", "stance", 0.0, 1.0,
        "users are less alike", "population standard deviation of user stance, sides ignored",
        "fewer than two users have a stance", "diversity of a population, arXiv 2402.16333", True,
    ),
    Metric(
        "bimodality", "Bimodality coefficient", "polarization", "index", 0.0, 1.0,
        "stances stand more in two camps; a uniform spread gives 5/9, a normal one 1/3",
        "(skewness² + 1) / kurtosis of user stance, both corrected for few users",
        "fewer than four users have a stance, or all have the same", "SAS/STAT User's Guide; Pfister et al. 2013",
        True,
    ),
    Metric(
        "esteban_ray", "Esteban–Ray polarization", "polarization", "index", 0.0, 1.0,
        "users form groups that are alike inside and far apart; 1 is two halves at the two ends",
        "Σ share^2.3 · share · distance over five equal parts of [−1, 1], scaled so that two halves at the ends give 1",
        "fewer than two users have a stance", "Esteban and Ray 1994; α = 1.3 and the five parts ours", True,
    ),
    Metric(
        "effective_communities", "Effective interaction communities", "communities", "communities",
        1.0, math.inf, "more groups of users meet at different posts",
        "exp(Shannon entropy of community sizes), Leiden partition of the co-engagement graph",
        "nobody met anybody at a post", f"{PAPER}; formula ours (Hill number of order 1)", True,
    ),
    Metric(
        "effective_communities_simpson", "Effective communities (inverse Simpson)", "communities",
        "communities", 1.0, math.inf, "the same, counting large groups more",
        "1 / Σ share² of the same partition",
        "nobody met anybody at a post", "ours (Hill number of order 2)", True,
    ),
    Metric(
        "community_count", "Communities", "communities", "communities", 1.0, math.inf,
        "more communities, however small", "number of communities of the same partition",
        "nobody met anybody at a post", "ours (Hill number of order 0)", True,
    ),
    Metric(
        "co_engagement_modularity", "Co-engagement modularity", "communities", "index", 0.0, 1.0,
        "meetings stay more within communities",
        "Newman's Q of the Leiden partition, which is never below that of one community, 0; weight = posts in common",
        "nobody met anybody at a post", f"{PAPER}; weight ours", True,
    ),
    Metric(
        "community_side_homophily", "Within-community side homophily", "communities", "share", 0.0, 1.0,
        "communities are more one-sided; compare with the same-side share of all pairs",
        "same-side pairs among pairs inside a community, averaged by community size",
        "no community with two members of known side", f"{PAPER}; weighting ours", True,
    ),
    Metric(
        "co_engagement_assortativity", "Co-engagement side assortativity", "communities", "index", -1.0, 1.0,
        "users meet their own side more than chance would have it",
        "Newman's assortativity of sides on the co-engagement graph; 0 is chance",
        "no meeting between users of known side, or only one side met", "Newman 2003", False,
    ),
    Metric(
        "co_engagement_ei", "Co-engagement E–I index", "communities", "index", -1.0, 1.0,
        "more of the meetings are with the other side; 1 all, −1 none",
        "(meetings across − meetings within) / all, by weight, on the co-engagement graph",
        "no meeting between users of known side", "Krackhardt and Stern 1988", False,
    ),
    Metric(
        "co_engagement_coverage", "Users in the co-engagement graph", "communities", "share", 0.0, 1.0,
        "more users met somebody at a post", "share of users with at least one post in common with another",
        "no users", "ours", True,
    ),
    Metric(
        "follow_assortativity", "Follow side assortativity", "interactions", "index", -1.0, 1.0,
        "users follow their own side more than chance would have it",
        "Newman's assortativity of sides on the follow graph, the given edges included; 0 is chance",
        "no follow between users of known side, or only one side in it", "Newman 2003", False,
    ),
    Metric(
        "cross_side_following", "Other side among the followed", "interactions", "share", 0.0, 1.0,
        "users follow more of the other side",
        "share of the other side among those whom a user follows, averaged over users who follow anyone",
        "nobody of known side follows anyone of known side", "Bakshy et al. 2015; mean over users ours", True,
    ),
    Metric(
        "echo_chamber", "Echo of the own stance", "interactions", "index", -1.0, 1.0,
        "users hear what they hold; 0 is no relation",
        "Pearson correlation of users' stance with the mean stance of those whom they follow",
        "fewer than two users with a stance follow somebody with one, or all hold or hear the same",
        "Cinelli et al. 2021 (joint distribution); the correlation ours", False,
    ),
    Metric(
        "reply_assortativity", "Reply side assortativity", "interactions", "index", -1.0, 1.0,
        "comments go to the own side more than chance would have it",
        "Newman's assortativity of sides on the graph of comments, from commenter to author; 0 is chance",
        "no comment between users of known side, or only one side in it", "Newman 2003; graph ours", False,
    ),
    Metric(
        "repost_assortativity", "Repost side assortativity", "interactions", "index", -1.0, 1.0,
        "users repost their own side more than chance would have it",
        "Newman's assortativity of sides on the graph of reposts, from reposter to author; 0 is chance",
        "no repost between users of known side, or only one side in it", "Newman 2003; Conover et al. 2011",
        False,
    ),
    Metric(
        "repost_controversy", "Random-walk controversy of reposts", "interactions", "index", -1.0, 1.0,
        "walkers on the repost graph end on the side where they began; 0 is no difference",
        "P(XX)·P(YY) − P(XY)·P(YX), where P(AB) is the chance that a walk which ended at hubs of side B began in A",
        "not two sides, or too few reposts within or between them for a walk", "Garimella et al. 2018", False,
    ),
)  # fmt: skip
"""Groups polarization, communities, interactions."""
