"""What goes along with a change of opinion: a regression that describes and does not explain."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from metrics.errors import MetricInputError
from metrics.exposure import cross_side
from metrics.opinion_change import opinion_changes
from metrics.posts import own_words, root_ids
from metrics.stance.scorer import TextScorer

TERMS = {
    "intercept": "change of somebody neutral on the negative side, shown neutral posts of their own side",
    "before": "own stance one step earlier; negative: extreme users fall back towards the middle",
    "shown_stance": "mean stance of the posts shown in this step; positive: users move towards what they read",
    "cross_side_share": "share of the posts shown that are the other side's",
    "positive_side": "1 for members of the positive side, 0 for the negative",
}
"""The terms of the regression and how each reads."""

_LEVEL = 0.95
_MIN_USERS = 10


class Drivers(NamedTuple):
    """An ordinary least-squares fit of the change of stance.

    Args:
        coefficients: `term`, `estimate`, `std_error` (clustered by user), `low`, `high` (95%, Student's t with
            users − 1 degrees of freedom), `p_value`, `reads`; one row for each term that varies.
        n_rows: changes.
        n_users: clusters.
        r_squared: share of the variance of changes that goes along with the terms, [0, 1].
        left_out: terms without any variation in the table, which therefore say nothing.
    """

    coefficients: pd.DataFrame
    n_rows: int
    n_users: int
    r_squared: float
    left_out: tuple[str, ...]


def shown_stance(
    exposures: pd.DataFrame, posts: pd.DataFrame, side: pd.Series[Any], scorer: TextScorer
) -> pd.DataFrame:
    """What each user's prompts showed in each step: how much, of which stance, from which side.

    Readers' own words are left out. A repost counts with the words and the author it repeats.

    Args:
        exposures: `step, user_id, post_id`; a post shown twice counts twice.
        posts: the whole post table.
        side: group label by user id.
        scorer: gives texts a stance; each different text is scored once.

    Returns:
        Columns `step`, `user_id`, `shown` (posts with words), `shown_stance` (their mean, [−1, 1]),
        `cross_side_share` (of all showings between two known sides, wordless posts too; NaN without any); only
        steps that showed words.

    Raises:
        MetricInputError: as `cross_side`.
    """
    crossed = cross_side(exposures, posts, side).groupby(["step", "user_id"])["crossed"].mean()
    author = exposures["post_id"].map(root_ids(posts)).map(posts.set_index("post_id")["user_id"])
    text = exposures["post_id"].map(own_words(posts)).fillna("").astype(str)
    kept = (author != exposures["user_id"]) & (text.str.strip() != "")
    rows = exposures.loc[kept, ["step", "user_id"]]
    codes, texts = pd.factorize(text[kept])
    rows = rows.assign(stance=scorer.score(list(texts))[codes] if len(texts) else np.zeros(0))
    by_prompt = rows.groupby(["step", "user_id"])["stance"]
    shown = pd.DataFrame({"shown": by_prompt.size(), "shown_stance": by_prompt.mean()})
    return shown.join(crossed.astype("float64").rename("cross_side_share")).reset_index()


def driver_table(
    stance: pd.DataFrame, shown: pd.DataFrame, side: pd.Series[Any], *, positive: str
) -> pd.DataFrame:
    """One row for each change of stance, with what was shown just before it.

    Args:
        stance: `step, user_id, stance`.
        shown: as `shown_stance` returns.
        side: group label by user id.
        positive: the label that counts as 1.

    Returns:
        Columns `step`, `user_id`, `change`, `before`, `shown_stance`, `cross_side_share`, `positive_side`; only
        users of known side, and steps in which they were shown something with a stance.

    Raises:
        MetricInputError: as `opinion_changes`.
    """
    changes = opinion_changes(stance)
    rows = changes.merge(shown, on=["step", "user_id"], how="inner")
    label = rows["user_id"].map(side)
    rows = rows.assign(positive_side=(label == positive).astype("float64"))[label.notna()]
    columns = ["step", "user_id", "change", "before", "shown_stance", "cross_side_share", "positive_side"]
    return rows[columns].dropna().reset_index(drop=True)


def fit_drivers(table: pd.DataFrame) -> Drivers:
    """Regress the change of stance on what users thought before and what they were shown.

    change = b₀ + b₁·before + b₂·shown_stance + b₃·cross_side_share + b₄·positive_side + error

    **Descriptive**: what a user is shown depends on whom they follow and what they said before, so a
    coefficient is no effect of showing. `before` is negative by arithmetic alone, since the mean of all that
    a user did is pulled by each new act (regression to the mean); part of `shown_stance` is arithmetic, too,
    where likes and reposts count at the stance of what was shown. To learn what a cause does, change it between
    paired conditions and compare the runs.

    Args:
        table: as `driver_table` returns.

    Returns:
        The fit, with errors that allow for likeness between the changes of one user.

    Raises:
        MetricInputError: fewer than ten users, for whom clustered errors mean nothing.

    Source: cluster-robust errors as in Liang & Zeger 1986 with statsmodels' small-sample correction
        (Cameron & Miller 2015); the choice of terms is ours.
    """
    users = table["user_id"].nunique()
    if users < _MIN_USERS:
        raise MetricInputError(
            f"drivers: {users} users changed after having been shown something; at least {_MIN_USERS} are "
            "needed for errors clustered by user. Run more agents or more steps"
        )
    names = [name for name in TERMS if name != "intercept"]
    varied = [name for name in names if np.ptp(table[name].to_numpy(dtype=np.float64)) > 0]
    from statsmodels.api import OLS

    design = table[varied].astype("float64")
    design.insert(0, "intercept", 1.0)
    fit = OLS(table["change"].astype("float64"), design).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(table["user_id"])[0]}, use_t=True
    )
    interval = fit.conf_int(alpha=1.0 - _LEVEL)
    coefficients = pd.DataFrame(
        {
            "term": list(design.columns),
            "estimate": fit.params.to_numpy(),
            "std_error": fit.bse.to_numpy(),
            "low": interval[0].to_numpy(),
            "high": interval[1].to_numpy(),
            "p_value": fit.pvalues.to_numpy(),
            "reads": [TERMS[name] for name in design.columns],
        }
    )
    left_out = tuple(name for name in names if name not in varied)
    return Drivers(coefficients, len(table), users, float(fit.rsquared), left_out)
