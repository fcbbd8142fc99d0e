"""Does the adapter carry the person? Held-out posts scored under their author's adapter, others', and none.

Every post is scored under one neutral prompt (handle `someone`, no persona, empty feed), the same for all
authors and adapters: nothing but the words and the weights can tell people apart. Definition: ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.engines.protocol import Engine, ScoreRequest
from agents.corpus import SplitUser
from agents.rendering import RenderedPost, Rendering, render_post
from sim.errors import SimError
from sim.progress import Watcher

if TYPE_CHECKING:
    from adapters.bases.loader import Base

NEUTRAL_HANDLE = "someone"


@dataclass(frozen=True)
class HeldOutScores:
    """Posts under adapters: the input of `metrics.individuality`.

    Args:
        nll: [adapters, posts], negative log-likelihood of each whole post in nats, one adapter a user.
        base: [posts], the same without an adapter.
        owners: [posts], row of the author's adapter.
        tokens: [posts], scored tokens.
        calibration: [posts], True for training posts, which only calibrate.
    """

    nll: NDArray[np.float64]
    base: NDArray[np.float64]
    owners: NDArray[np.intp]
    tokens: NDArray[np.intp]
    calibration: NDArray[np.bool_]


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
        _Post(user, calibrates, _rendered(base, post.text, rendering))
        for user, split in enumerate(splits)
        for calibrates, texts in ((False, split.held_out[:held_out]), (True, split.train[-calibration:]))
        for post in texts
    ]
    watcher.begin(_TASK, len(splits) + 1)
    rows = []
    for revision in [*(revisions[split.user.user_id] for split in splits), None]:
        rows.append(_row(engine, revision, posts))
        watcher.advance(_TASK, len(rows))
    *nll, without = rows
    return HeldOutScores(
        nll=np.array(nll),
        base=np.array(without),
        owners=np.array([post.user for post in posts]),
        tokens=np.array([len(post.text.tokens) - post.text.learn_from for post in posts]),
        calibration=np.array([post.calibrates for post in posts]),
    )


_TASK = "scoring posts under every adapter"


class _Post(NamedTuple):
    user: int
    calibrates: bool
    text: RenderedPost


def _rendered(base: Base, text: str, rendering: Rendering) -> RenderedPost:
    return render_post(text, handle=NEUTRAL_HANDLE, persona="", rendering=rendering, encoder=base.encoder)


def _row(engine: Engine, revision: str | None, posts: Sequence[_Post]) -> list[float]:
    requests = [
        ScoreRequest(
            str(i),
            post.text.tokens[: post.text.learn_from],
            post.text.tokens[post.text.learn_from :],
            revision,
        )
        for i, post in enumerate(posts)
    ]
    sums = []
    for result in engine.score(requests):
        if result.error is not None:
            raise SimError(f"post {result.request_id} under {revision or 'the base'}: {result.error.message}")
        sums.append(-float(sum(result.logprobs)))
    return sums
