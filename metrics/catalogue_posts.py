"""Entries of the catalogue about what was written, shown and decided."""

from __future__ import annotations

import math

from metrics.activity import ACTIONS
from metrics.metric import PAPER, Metric


def _action(action: str) -> Metric:
    return Metric(
        f"actions_{action}", f"Actions: {action}", "activity", "rows", 0.0, math.inf, "more of it was done",
        f"rows left by {action} from step 1 on", "never", "ours", True,
    )  # fmt: skip


POSTS: tuple[Metric, ...] = (
    Metric(
        "like_gini", "Gini of likes per post", "attention", "index", 0.0, 1.0, "likes fall on fewer posts",
        "Gini coefficient of likes over all posts and quotes, those without likes and seeds included",
        "no likes, or fewer than two posts", f"{PAPER} (cascade Gini on likes)", True,
    ),
    Metric(
        "like_top_decile_share", "Likes on the top tenth of posts", "attention", "share", 0.0, 1.0,
        "likes fall on fewer posts", "likes on the most liked 10% of posts (rounded up) over all likes",
        "no likes", PAPER, True,
    ),
    Metric(
        "engagement_half_life", "Half-life of engagement", "attention", "steps", 0.0, math.inf,
        "attention to a post lasts longer; young posts count with what they have had so far",
        "steps from publication to half of a post's likes, comments, reposts and quotes by others; median over posts",
        "no post has had four of them", "ours", True,
    ),
    Metric(
        "cascade_share", "Posts that anybody passed on or answered", "cascades", "share", 0.0, 1.0,
        "more posts start something", "share of original posts with a repost, quote or comment, seeds included",
        "no posts", "ours", True,
    ),
    Metric(
        "cascade_size", "Cascade size", "cascades", "nodes", 2.0, math.inf, "posts start more",
        "post, reposts, quotes and comments of all of them; mean over posts that have any", "no post has any",
        "Goel et al. 2016", True,
    ),
    Metric(
        "cascade_depth", "Cascade depth", "cascades", "hops", 1.0, math.inf,
        "posts reach people through people; 1 is from the author directly",
        "longest way from the post, where a share hangs on the followed user who shared last before; mean over "
        "posts that have any", "no post was passed on or answered", "Goel et al. 2016; comments as leaves ours", True,
    ),
    Metric(
        "cascade_depth_max", "Deepest cascade", "cascades", "hops", 1.0, math.inf,
        "some post went through more hands", "the greatest depth of all posts",
        "no post was passed on or answered", "Goel et al. 2016; comments as leaves ours", True,
    ),
    Metric(
        "cascade_breadth", "Cascade breadth", "cascades", "nodes", 1.0, math.inf,
        "more people take a post from the same distance",
        "most nodes at one distance from the post; mean over posts that have any",
        "no post was passed on or answered", "Vosoughi et al. 2018 (maximum breadth)", True,
    ),
    Metric(
        "structural_virality", "Structural virality", "cascades", "hops", 1.0, math.inf,
        "posts spread from person to person and less from one source; a large star gives 2",
        "mean distance between two nodes of a cascade; mean over cascades of at least three nodes",
        "no cascade has three nodes", "Goel et al. 2016", True,
    ),
    Metric(
        "comments", "Comments", "activity", "rows", 0.0, math.inf, "more comments",
        "rows of the comment table, seeds included", "never", f"{PAPER} (rows in the database)", True,
    ),
    Metric(
        "original_posts", "Original posts", "activity", "rows", 0.0, math.inf, "more original posts",
        "rows of the post table without original_post_id, seeds included", "never",
        f"{PAPER} (rows in the database)", True,
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
        "distinct_2", "Distinct word pairs", "text", "share", 0.0, 1.0, "texts repeat fewer word pairs",
        "different pairs of neighbouring words over all, in the latest 500 posts, quotes and comments from step 1 on",
        "nobody wrote two words in a row", "Li et al. 2016 (distinct-2); the latest 500 ours", True,
    ),
    Metric(
        "compression_ratio", "Compression ratio of texts", "text", "ratio", 0.0, math.inf,
        "texts repeat each other more; prose gives 2 to 3",
        "bytes of the same texts, one a line, over their bytes after gzip", "nobody wrote anything",
        "Shaib et al. 2024; the latest 500 ours", True,
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
"""Groups attention, cascades, activity, text, exposure, failures."""
