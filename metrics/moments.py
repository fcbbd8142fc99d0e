"""One cell at several steps: what measures share, each part worked out once and only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.activity import acts_frame
from metrics.attention import half_lives
from metrics.cascade import likes_per_post
from metrics.content import content_frame
from metrics.diffusion import cascade_nodes
from metrics.engagement import engagements
from metrics.errors import MetricInputError
from metrics.exposure import cross_side
from metrics.networks.partitions import RESTARTS
from metrics.polarization import polarization_distance
from metrics.posts import REPOST, root_ids
from metrics.stance.users import StanceWeights, stance_evidence, user_stance, user_stance_by_step
from metrics.tables import CellTables
from metrics.text.diversity import ngrams
from metrics.text.words import words


class Likes(NamedTuple):
    """Likes as arrays.

    Args:
        created: [posts that can be liked], step of publication.
        post: [likes], places in `created`.
        step: [likes], when they were given.
    """

    created: NDArray[np.int64]
    post: NDArray[np.intp]
    step: NDArray[np.int64]

    def so_far(self, step: int) -> NDArray[np.int64]:
        """Likes of each post that existed at the step."""
        counts = np.bincount(self.post[self.step <= step], minlength=len(self.created))
        return counts[self.created <= step]


@dataclass(frozen=True, eq=False)
class Moments:
    """A cell, looked at from some of its steps.

    Args:
        tables: of the cell.
        steps: each ≥ 0.
        seed: of the community search; step s uses the stream `[seed, s]`.
        restarts: runs of the community search to choose from.

    Raises:
        MetricInputError: a negative step.
    """

    tables: CellTables
    steps: Sequence[int]
    seed: int
    restarts: int

    def __post_init__(self) -> None:
        if negative := [step for step in self.steps if step < 0]:
            raise MetricInputError(f"steps: got {negative[0]}; expected 0 (seeds) or more")

    @classmethod
    def of(
        cls, tables: CellTables, steps: Sequence[int], *, rng: np.random.Generator, restarts: int = RESTARTS
    ) -> Self:
        """With one draw from `rng` as the seed."""
        return cls(tables, steps, int(rng.integers(2**63)), restarts)

    @cached_property
    def sides(self) -> NDArray[Any]:
        """Label of each user in the order of `tables.users`."""
        return self.tables.side.to_numpy(dtype=object)

    @cached_property
    def two_sided(self) -> bool:
        """Whether users know exactly two sides."""
        return self.tables.side.nunique() == 2

    @cached_property
    def evidence(self) -> pd.DataFrame | None:
        """Everything that speaks about users' stances; None without a scorer."""
        t = self.tables
        if t.scorer is None:
            return None
        return stance_evidence(t.posts, t.comments, t.likes, t.dislikes, t.scorer)

    @cached_property
    def stance(self) -> pd.DataFrame:
        """[users × steps] stance of everything done up to each step; NaN throughout without a scorer."""
        if self.evidence is None:
            return pd.DataFrame(np.nan, index=self.tables.users, columns=list(self.steps))
        return user_stance_by_step(self.evidence, self.tables.users, self.steps, self.tables.weights)

    @cached_property
    def initial_distance(self) -> float:
        """Polarization distance of the seeds alone; NaN without a scorer."""
        scorer = self.tables.scorer
        if scorer is None or self.evidence is None:
            return float("nan")
        seeded = user_stance(self.evidence, self.tables.users, StanceWeights.seeds_only())
        return polarization_distance(
            seeded, self.tables.side, positive=scorer.positive_side, negative=scorer.negative_side
        )

    @cached_property
    def engagements(self) -> pd.DataFrame:
        """Who turned to whose post: rows of `metrics.engagement.engagements`."""
        t = self.tables
        return engagements(t.posts, t.comments, t.likes, t.dislikes)

    @cached_property
    def acts(self) -> pd.DataFrame:
        """What users did from step 1 on: rows of `metrics.activity.acts_frame`."""
        t = self.tables
        return acts_frame(t.posts, t.comments, t.likes, t.dislikes, t.follows)

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """Cascades as seen along the follow graph: rows of `metrics.diffusion.cascade_nodes`."""
        return cascade_nodes(self.tables.posts, self.tables.comments, self.tables.follows)

    @cached_property
    def likes(self) -> Likes:
        """Every like, at the post that it counts for."""
        posts, likes = self.tables.posts, self.tables.likes
        likeable = likes_per_post(posts, likes).index
        credited = pd.Index(likes["post_id"].map(root_ids(posts)))
        created = posts.set_index("post_id")["created_at"].reindex(likeable)
        return Likes(
            created=created.to_numpy(),
            post=likeable.get_indexer(credited),
            step=likes["created_at"].to_numpy(),
        )

    @cached_property
    def half_lives(self) -> dict[int, NDArray[np.float64]]:
        """Half-lives of posts, as seen from each step."""
        lives = half_lives(self.engagements, self.tables.posts, self.steps)
        return {step: lives.loc[lives["step"] == step, "half_life"].to_numpy() for step in self.steps}

    @cached_property
    def words(self) -> pd.DataFrame:
        """Own words of users from step 1 on, in time order: `user_id`, `step`, `text`."""
        said = content_frame(self.tables.posts, self.tables.comments)
        own = said.loc[(said["kind"] != REPOST) & (said["step"] > 0), ["user_id", "step", "text"]]
        return own.sort_values("step", kind="stable", ignore_index=True)

    @cached_property
    def word_pairs(self) -> list[list[tuple[str, ...]]]:
        """Neighbouring words in each of `words`."""
        return [ngrams(words(text), 2) for text in self.words["text"]]

    @cached_property
    def crossed(self) -> pd.DataFrame:
        """Showings in prompts, marked: rows of `metrics.exposure.cross_side`."""
        return cross_side(self.tables.exposures, self.tables.posts, self.tables.side)
