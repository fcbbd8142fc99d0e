"""A corpus at a glance: who is in it, how much they wrote, what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from agents.corpus import Corpus


class Quantiles(NamedTuple):
    """Smallest, quartiles and largest; linear interpolation between order statistics."""

    min: float
    q25: float
    median: float
    q75: float
    max: float


@dataclass(frozen=True)
class CorpusSummary:
    """What `plures corpus show` prints.

    Args:
        users_per_side: side label to number of users; users without a side are under "".
        posts_per_user: over users.
        characters_per_post: over posts, in characters.
        first, last: times of the earliest and latest post.
        excluded: reason to count.
        warnings: what was left out, with examples.
        digest: the corpus's data hash.
    """

    name: str
    users: int
    posts: int
    users_per_side: Mapping[str, int]
    posts_per_user: Quantiles
    characters_per_post: Quantiles
    first: str
    last: str
    excluded: Mapping[str, int]
    warnings: tuple[str, ...]
    digest: str


def summarise(corpus: Corpus) -> CorpusSummary:
    """Count a corpus.

    Raises:
        ValueError: for a corpus without posts, which the loader never returns.
    """
    posts = [post for user in corpus for post in user.posts]
    if not posts:
        raise ValueError(f"{corpus.name}: no posts to summarise")
    sides = [user.side or "" for user in corpus]
    return CorpusSummary(
        name=corpus.name,
        users=len(corpus),
        posts=len(posts),
        users_per_side={side: sides.count(side) for side in sorted(set(sides))},
        posts_per_user=_quantiles([len(user.posts) for user in corpus]),
        characters_per_post=_quantiles([len(post.text) for post in posts]),
        first=min(post.time for post in posts),
        last=max(post.time for post in posts),
        excluded=dict(corpus.excluded),
        warnings=corpus.warnings,
        digest=corpus.digest,
    )


def _quantiles(values: list[int]) -> Quantiles:
    return Quantiles(*map(float, np.quantile(values, (0, 0.25, 0.5, 0.75, 1))))
