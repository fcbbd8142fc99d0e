"""Do adapters carry the person? Held-out posts under the own, the others' and no adapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.intervals import NO_INTERVAL, RESAMPLES, wilson_interval

BASE = "base"
_ROUNDING = 1e-9  # nats per token: a smaller spread is none


class Estimate(NamedTuple):
    """A number with its interval, whose ends are NaN where it cannot be given."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Individuality:
    """How well adapters tell people apart.

    Args:
        own_perplexity: of held-out posts under their author's adapter; 1 is certainty, lower is better.
        others_perplexity: under the other users' adapters, averaged in nats per token.
        base_perplexity: under no adapter.
        gain_over_base: nats per token saved by the own adapter; 0 no use, negative harmful.
        gain_over_others: nats per token saved against others' adapters; 0 means that adapters learned the
            community and not the person.
        top1_post: share of posts to which the author's adapter gives the greatest likelihood.
        top1_user: share of users whose whole tail is likeliest under their own adapter.
        calibrated_top1_post: the same after calibration; NaN when no calibration posts were given.
        calibrated_top1_user: likewise.
        chance: 1 / adapters, what adapters that are all alike reach.
        n_users: users with held-out posts.
        n_posts: held-out posts tested.

    Intervals: bootstrap over users (posts of one user hang together); Wilson for the shares of users.
    """

    own_perplexity: Estimate
    others_perplexity: Estimate
    base_perplexity: Estimate
    gain_over_base: Estimate
    gain_over_others: Estimate
    top1_post: Estimate
    top1_user: Estimate
    calibrated_top1_post: Estimate
    calibrated_top1_user: Estimate
    chance: float
    n_users: int
    n_posts: int

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers: every estimate as `{"value", "low", "high"}`."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {k: v._asdict() if isinstance(v, Estimate) else v for k, v in fields.items()}


def individuality(
    nll: pd.DataFrame,
    owner: pd.Series[Any],
    tokens: pd.Series[int],
    *,
    rng: np.random.Generator,
    calibration: pd.Series[bool] | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> Individuality:
    """Measure how much of each person is in the person's adapter.

    Uncalibrated, a post belongs to the adapter of least nll. Calibrated: an adapter that is good at
    everything would win every post, so each adapter's distance from the average adapter (nats per token) is
    first brought to mean 0 and standard deviation 1 over the calibration posts of *other* users
    (impostor normalisation); calibration posts are never tested. Adapters that tie share the credit, so
    adapters that are all alike score chance.

    Args:
        nll: mean negative log-likelihood per token in nats; one row for each post, one column for each
            user's adapter by user id, and the column `base` for no adapter.
        owner: author of each row, a column of `nll`.
        tokens: tokens that the row's mean runs over, ≥ 1.
        rng: draws bootstrap resamples of users.
        calibration: True for rows that only calibrate (training posts will do: an adapter is calibrated by
            others' posts alone); None leaves the calibrated shares NaN.
        confidence: of all intervals, in (0, 1).
        resamples: of the bootstrap.

    Returns:
        The measures; intervals are NaN with a single user. With one adapter there is nobody to be told
        from: the others' perplexity and the gain over others are NaN.

    Raises:
        MetricInputError: lengths that differ, no column `base`, an unknown owner, tokens below 1, non-finite
            values, no row to test, or an adapter with fewer than two calibration posts of other users.

    Source: ours; impostor normalisation is Z-norm of speaker verification (Auckenthaler et al. 2000).
    """
    spare = np.zeros(len(nll), dtype=bool) if calibration is None else calibration.to_numpy(dtype=bool)
    _check(nll, owner, tokens, spare)
    adapters = nll.columns.drop(BASE)
    scores = nll[adapters].to_numpy(dtype=np.float64)
    author = adapters.get_indexer(pd.Index(owner))
    length = tokens.to_numpy(dtype=np.float64)
    tested = _Tested(author[~spare], length[~spare], rng, confidence, resamples)

    plain = scores[~spare]
    own = plain[np.arange(len(plain)), tested.author]
    others = (plain.sum(axis=1) - own) / (len(adapters) - 1) if len(adapters) > 1 else own * np.nan
    base = nll[BASE].to_numpy(dtype=np.float64)[~spare]
    top1 = tested.identified(plain * tested.tokens[:, None])
    calibrated = _UNKNOWN
    if calibration is not None:
        calibrated = tested.identified(_normalised(scores, author, spare)[~spare])
    return Individuality(
        own_perplexity=_perplexity(tested.mean(own)),
        others_perplexity=_perplexity(tested.mean(others)),
        base_perplexity=_perplexity(tested.mean(base)),
        gain_over_base=tested.mean(base - own),
        gain_over_others=tested.mean(others - own),
        top1_post=top1.post,
        top1_user=top1.user,
        calibrated_top1_post=calibrated.post,
        calibrated_top1_user=calibrated.user,
        chance=1.0 / len(adapters),
        n_users=len(tested.users),
        n_posts=len(plain),
    )


class _Identified(NamedTuple):
    post: Estimate
    user: Estimate


_NAN = Estimate(float("nan"), *NO_INTERVAL)
_UNKNOWN = _Identified(_NAN, _NAN)


class _Tested:
    """The tested posts; one set of user resamples serves all intervals.

    Args:
        author: [posts], column of the author's adapter.
        tokens: [posts].
    """

    def __init__(
        self,
        author: NDArray[np.intp],
        tokens: NDArray[np.float64],
        rng: np.random.Generator,
        confidence: float,
        resamples: int,
    ) -> None:
        self.author, self.tokens = author, tokens
        self.users, self.user = np.unique(author, return_inverse=True)
        n = len(self.users)
        self.drawn = rng.multinomial(n, np.full(n, 1.0 / n), size=resamples).astype(np.float64)
        self.confidence = confidence

    def mean(self, per_token: NDArray[np.float64]) -> Estimate:
        """Token-weighted mean over posts."""
        return self._ratio(self._of_users(per_token * self.tokens), self._of_users(self.tokens))

    def identified(self, scores: NDArray[np.float64]) -> _Identified:
        """How often the author's column is least, post by post and summed over each user's posts."""
        posts = _least(scores, self.author)
        summed = np.stack([self._of_users(column) for column in scores.T], axis=1)
        people = _least(summed, self.users)
        n = len(people)
        interval = wilson_interval(float(people.sum()), n, self.confidence) if n > 1 else NO_INTERVAL
        by_post = self._ratio(self._of_users(posts), self._of_users(np.ones(len(posts))))
        return _Identified(by_post, Estimate(float(people.mean()), *interval))

    def _of_users(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self.user, weights=amounts).astype(np.float64)

    def _ratio(self, total: NDArray[np.float64], size: NDArray[np.float64]) -> Estimate:
        value = float(total.sum() / size.sum())
        if len(total) < 2 or np.isnan(value):
            return Estimate(value, *NO_INTERVAL)
        ratios = (self.drawn @ total) / (self.drawn @ size)
        low, high = np.quantile(ratios, [0.5 - self.confidence / 2, 0.5 + self.confidence / 2])
        return Estimate(value, float(low), float(high))


def _perplexity(mean: Estimate) -> Estimate:
    return Estimate(*(float(value) for value in np.exp(mean)))


def _least(scores: NDArray[np.float64], truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """Per row: 1 where the true column alone is least, 1/k where it ties with k − 1 others, else 0."""
    ties = np.isclose(scores, scores.min(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)
    return np.asarray(ties[np.arange(len(truth)), truth] / ties.sum(axis=1))


def _normalised(
    scores: NDArray[np.float64], author: NDArray[np.intp], spare: NDArray[np.bool_]
) -> NDArray[np.float64]:
    relative = scores - scores.mean(axis=1, keepdims=True)
    scaled = np.empty(relative.shape)
    for adapter in range(relative.shape[1]):
        impostors = relative[spare & (author != adapter), adapter]
        if len(impostors) < 2:
            raise MetricInputError(
                f"calibration: adapter {adapter} has {len(impostors)} posts of others; expected at least 2"
            )
        spread = float(impostors.std())
        scaled[:, adapter] = (relative[:, adapter] - impostors.mean()) / (
            spread if spread > _ROUNDING else 1.0
        )
    return scaled


def _check(
    nll: pd.DataFrame, owner: pd.Series[Any], tokens: pd.Series[int], spare: NDArray[np.bool_]
) -> None:
    for name, length in (("owner", len(owner)), ("tokens", len(tokens)), ("calibration", len(spare))):
        if length != len(nll):
            raise MetricInputError(f"{name}: got {length} rows; expected {len(nll)} as in nll")
    if BASE not in nll.columns or len(nll.columns) < 2:
        raise MetricInputError(f"nll: got columns {list(nll.columns)}; expected one a user, and {BASE!r}")
    if not np.isfinite(nll.to_numpy(dtype=np.float64)).all():
        raise MetricInputError("nll: expected finite numbers; leave out and count posts that were not scored")
    if len(strangers := owner[~owner.isin(nll.columns.drop(BASE))]):
        raise MetricInputError(f"owner: {strangers.iloc[0]!r} has no adapter among the columns of nll")
    if (tokens < 1).any():
        raise MetricInputError(f"tokens: got {tokens.min()}; expected at least 1 a post")
    if spare.all():
        raise MetricInputError("no post to test: give held-out posts that are not used for calibration")
