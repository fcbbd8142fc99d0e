"""Does the adapter carry the person? Held-out posts scored under their author's adapter, others', and none.

Every post is scored under one neutral prompt (handle `someone`, no persona, empty feed), the same for all
authors and adapters: nothing but the words and the weights can tell people apart. Definition: ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from adapters.engines.protocol import Engine, ScoreRequest
from agents.corpus import Post, SplitUser
from agents.rendering import RenderedPost, Rendering, render_post
from metrics.individuality import BASE
from sim.errors import SimError
from sim.progress import Watcher

if TYPE_CHECKING:
    from adapters.bases.loader import Base

NEUTRAL_HANDLE = "someone"


@dataclass(frozen=True)
class HeldOutScores:
    """Posts under adapters: the input of `metrics.individuality`.

    Args:
        nll: mean negative log-likelihood per token, nats; a row for each post, a column for each adapter by
            user id, and `base` for none.
        owner: author of each row.
        tokens: scored tokens of each row.
        calibration: True for training posts, which only calibrate.
    """

    nll: pd.DataFrame
    owner: pd.Series[str]
    tokens: pd.Series[int]
    calibration: pd.Series[bool]


def score_held_out(
    engine: Engine,
    base: Base,
    splits: Sequence[SplitUser],
    revisions: Mapping[str, str],
    *,
    rendering: Rendering,
    held_out: int,
    calibration: int,
    watcher: Watcher,
) -> HeldOutScores:
    """Score held-out and calibration posts of every user under all users' adapters and the base.

    Args:
        engine: scores.
        base: encodes.
        splits: the users, in the order of the answer's adapters.
        revisions: user id → adapter revision.
        rendering: as in training.
        held_out: first so many held-out posts of each user.
        calibration: last so many training posts of each user.
        watcher: told after each adapter.

    Raises:
        SimError: when a request fails; names it.
    """
    posts = [
        _Post(split.user.user_id, calibrates, _rendered(base, post.text, rendering))
        for split in splits
        for calibrates, texts in ((False, split.held_out[:held_out]), (True, _last(split.train, calibration)))
        for post in texts
    ]
    columns: dict[str, str | None] = {s.user.user_id: revisions[s.user.user_id] for s in splits}
    columns[BASE] = None
    watcher.begin(_TASK, len(columns))
    nll: dict[str, list[float]] = {}
    for name, revision in columns.items():
        nll[name] = _column(engine, revision, posts)
        watcher.advance(_TASK, len(nll))
    return HeldOutScores(
        nll=pd.DataFrame(nll),
        owner=pd.Series([post.author for post in posts], name="owner"),
        tokens=pd.Series([post.scored for post in posts], name="tokens"),
        calibration=pd.Series([post.calibrates for post in posts], name="calibration"),
    )


_TASK = "scoring posts under every adapter"


class _Post(NamedTuple):
    author: str
    calibrates: bool
    row: RenderedPost

    @property
    def scored(self) -> int:
        """Tokens that the likelihood runs over."""
        return len(self.row.tokens) - self.row.learn_from


def _last(posts: Sequence[Post], count: int) -> Sequence[Post]:
    return posts[max(0, len(posts) - count) :]


def _rendered(base: Base, text: str, rendering: Rendering) -> RenderedPost:
    return render_post(text, handle=NEUTRAL_HANDLE, persona="", rendering=rendering, encoder=base.encoder)


def _column(engine: Engine, revision: str | None, posts: Sequence[_Post]) -> list[float]:
    requests = [
        ScoreRequest(str(i), p.row.tokens[: p.row.learn_from], p.row.tokens[p.row.learn_from :], revision)
        for i, p in enumerate(posts)
    ]
    means = []
    for result in engine.score(requests):
        if result.error is not None:
            raise SimError(f"post {result.request_id} under {revision or 'the base'}: {result.error.message}")
        means.append(-sum(result.logprobs) / len(result.logprobs))
    return means
