"""Who changed their mind, when, and by how much."""

from __future__ import annotations

import pandas as pd

from metrics.errors import MetricInputError

SUMMARY_COLUMNS = ["step", "n", "mean", "mean_absolute", "std", "share_up", "share_down"]


def opinion_changes(stance: pd.DataFrame) -> pd.DataFrame:
    """Change of every user's stance from one step to the next.

    A run's stance is the mean of everything a user did so far, so that one new post moves an old hand less
    than a newcomer: changes shrink with time even where what people write does not settle.

    Args:
        stance: `step, user_id, stance`, a user at most once a step; NaN while a user showed none.

    Returns:
        Columns `step`, `user_id`, `before`, `stance`, `change` = stance − before ∈ [−2, 2], sorted by user and
        step: one row for every step of which the previous step (the one before among all steps) is known, too.

    Raises:
        MetricInputError: a missing column, or a user twice in a step.
    """
    if missing := [c for c in ("step", "user_id", "stance") if c not in stance.columns]:
        raise MetricInputError(f"stance: no column {', '.join(missing)}; expected step, user_id, stance")
    if (twice := stance.duplicated(["step", "user_id"])).any():
        step, user = (stance.loc[twice, column].iloc[0] for column in ("step", "user_id"))
        raise MetricInputError(f"stance: user {user} occurs twice at step {step}; keep one row")
    order = {step: place for place, step in enumerate(sorted(stance["step"].unique()))}
    rows = stance[["step", "user_id", "stance"]].sort_values(["user_id", "step"], kind="stable")
    place = rows["step"].map(order)
    by_user = rows["user_id"]
    follows = (place.groupby(by_user).diff() == 1).to_numpy()
    before = rows.groupby("user_id")["stance"].shift()
    changed = rows.assign(before=before, change=rows["stance"] - before)[follows].dropna()
    return changed[["step", "user_id", "before", "stance", "change"]].reset_index(drop=True)


def change_summary(changes: pd.DataFrame) -> pd.DataFrame:
    """What `opinion_changes` holds, step by step.

    Args:
        changes: as `opinion_changes` returns.

    Returns:
        One row a step: `n` users; `mean` change (drift; 0 none, positive towards the positive side);
        `mean_absolute` (volatility; 0 nobody moved) and `std` (population form); `share_up`, `share_down`
        of users who moved at all.
    """
    change = changes["change"].astype("float64")
    by_step = change.groupby(changes["step"])
    summary = pd.DataFrame(
        {
            "n": by_step.size(),
            "mean": by_step.mean(),
            "mean_absolute": change.abs().groupby(changes["step"]).mean(),
            "std": by_step.std(ddof=0),
            "share_up": (change > 0).groupby(changes["step"]).mean(),
            "share_down": (change < 0).groupby(changes["step"]).mean(),
        }
    )
    return summary.rename_axis("step").reset_index()[SUMMARY_COLUMNS]
