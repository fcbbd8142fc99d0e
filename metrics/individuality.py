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
FEWEST_IMPOSTORS = 2
"""Posts of other users that an adapter needs to be calibrated."""
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
    (impostor normalisation); calibration posts are never tested. A tail is the sum over its posts, of nats or of
    calibrated distances. Adapters that tie share the credit, so
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
    people = by_user(nll, owner, tokens, calibration=calibration)
    n = len(people)
    drawn = draw_people(n, rng, resamples)

    def ratio(total: str, size: str) -> Estimate:
        return ratio_estimate(people[total], people[size], drawn, confidence)

    def share(of: str) -> Estimate:
        found = people[of].to_numpy()
        known = n > 1 and not np.isnan(found).any()
        interval = wilson_interval(float(found.sum()), n, confidence) if known else NO_INTERVAL
        return Estimate(float(found.mean()), *interval)

    people["gain_over_base"] = people["base"] - people["own"]
    people["gain_over_others"] = people["others"] - people["own"]
    return Individuality(
        own_perplexity=_perplexity(ratio("own", "tokens")),
        others_perplexity=_perplexity(ratio("others", "tokens")),
        base_perplexity=_perplexity(ratio("base", "tokens")),
        gain_over_base=ratio("gain_over_base", "tokens"),
        gain_over_others=ratio("gain_over_others", "tokens"),
        top1_post=ratio("found", "posts"),
        top1_user=share("found_tail"),
        calibrated_top1_post=ratio("calibrated", "posts"),
        calibrated_top1_user=share("calibrated_tail"),
        chance=1.0 / (nll.shape[1] - 1),
        n_users=n,
        n_posts=int(people["posts"].sum()),
    )


def by_user(
    nll: pd.DataFrame,
    owner: pd.Series[Any],
    tokens: pd.Series[int],
    *,
    calibration: pd.Series[bool] | None = None,
) -> pd.DataFrame:
    """What `individuality` sums up, person by person.

    Args:
        nll, owner, tokens, calibration: as of `individuality`.

    Returns:
        A row for each user with a tested post. Sums over the user's tested posts: `posts`, `tokens`; `own`, `others`
        (averaged over adapters), `base` (nats); `found`, `calibrated` (posts whose likeliest adapter is the user's).
        Whether all of them together are likeliest under it: `found_tail`, `calibrated_tail`. Calibrated columns are
        NaN without calibration posts, `others` with one adapter; adapters that tie share the credit.

    Raises:
        MetricInputError: as `individuality`.
    """
    spare = np.zeros(len(nll), dtype=bool) if calibration is None else calibration.to_numpy(dtype=bool)
    _check(nll, owner, tokens, spare)
    adapters = nll.columns.drop(BASE)
    scores = nll[adapters].to_numpy(dtype=np.float64)
    author = adapters.get_indexer(pd.Index(owner))
    length = tokens.to_numpy(dtype=np.float64)[~spare]
    users, user = np.unique(author[~spare], return_inverse=True)

    def summed(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(user, weights=amounts).astype(np.float64)

    plain = scores[~spare]
    own = plain[np.arange(len(plain)), author[~spare]]
    others = (plain.sum(axis=1) - own) / (len(adapters) - 1) if len(adapters) > 1 else own * np.nan
    people = {
        "posts": summed(np.ones(len(plain))),
        "tokens": summed(length),
        "own": summed(own * length),
        "others": summed(others * length),
        "base": summed(nll[BASE].to_numpy(dtype=np.float64)[~spare] * length),
    }
    judged = {"found": plain * length[:, None]}
    if calibration is not None:
        judged["calibrated"] = _normalised(scores, author, spare)[~spare]
    for name, judgement in judged.items():
        people[name] = summed(_least(judgement, author[~spare]))
        tails = np.stack([summed(column) for column in judgement.T], axis=1)
        people[f"{name}_tail"] = _least(tails, users)
    frame = pd.DataFrame(people, index=adapters[users])
    return frame.reindex(columns=[*frame.columns, *(c for c in _CALIBRATED if c not in frame)])


_CALIBRATED = ("calibrated", "calibrated_tail")


def draw_people(n: int, rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """How often each of `n` people is in each bootstrap resample, [resamples, n]."""
    return rng.multinomial(n, np.full(n, 1.0 / n), size=resamples).astype(np.float64)


def ratio_estimate(
    total: pd.Series[float], size: pd.Series[float], drawn: NDArray[np.float64], confidence: float
) -> Estimate:
    """Sum of `total` over sum of `size`, both by person, with the bootstrap interval of `draw_people`.

    Returns:
        No interval with a single person, or without a value.
    """
    totals, sizes = total.to_numpy(dtype=np.float64), size.to_numpy(dtype=np.float64)
    value = float(totals.sum() / sizes.sum())
    if len(totals) < 2 or np.isnan(value):
        return Estimate(value, *NO_INTERVAL)
    ratios = (drawn @ totals) / (drawn @ sizes)
    low, high = np.quantile(ratios, [0.5 - confidence / 2, 0.5 + confidence / 2])
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
        if len(impostors) < FEWEST_IMPOSTORS:
            raise MetricInputError(
                f"calibration: adapter {adapter} has {len(impostors)} posts of others; expected at least "
                f"{FEWEST_IMPOSTORS}"
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
