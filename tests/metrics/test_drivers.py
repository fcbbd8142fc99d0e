from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.drivers import TERMS, driver_table, fit_drivers, shown_stance
from metrics.errors import MetricInputError
from tests.metrics.frames import NumberScorer, exposures, posts, sides

SIDE = sides("supportive", "supportive", "skeptical", None)
POSTS = posts(
    [
        (1, 0, None, "0.8 a", None, 0),
        (2, 2, None, "-0.4 b", None, 0),
        (3, 1, 2, "-0.4 b", None, 1),  # user 1 reposts user 2
        (4, 3, None, "0.2 c", None, 1),
        (5, 2, None, "", None, 1),
    ]
)


def test_what_is_shown_counts_by_its_words_and_their_author() -> None:
    seen = exposures([(1, 0, 2), (1, 0, 3), (1, 0, 1), (1, 0, 4), (2, 1, 1), (2, 2, 3), (2, 1, 5)])
    shown = shown_stance(seen, POSTS, SIDE, NumberScorer()).set_index(["step", "user_id"])
    # user 0 at step 1: b twice (directly and reposted, both the other side's) and c (side unknown); a is own
    assert shown.loc[(1, 0)].tolist() == pytest.approx([3, -0.2, 1.0])
    assert shown.loc[(2, 1)].tolist() == pytest.approx(
        [1, 0.8, 0.5]
    )  # the empty post counts for its side alone
    assert (2, 2) not in shown.index  # own words come back as a repost


def test_nothing_shown_gives_an_empty_table() -> None:
    shown = shown_stance(exposures([]), POSTS, SIDE, NumberScorer())
    assert shown.empty
    assert shown.columns.tolist() == ["step", "user_id", "shown", "shown_stance", "cross_side_share"]


def test_the_table_joins_each_change_with_what_came_before_it() -> None:
    stance = pd.DataFrame({"step": [0, 1, 0, 1], "user_id": [0, 0, 3, 3], "stance": [0.5, 0.4, 0.1, 0.3]})
    shown = shown_stance(exposures([(1, 0, 2), (1, 3, 2)]), POSTS, SIDE, NumberScorer())
    table = driver_table(stance, shown, SIDE, positive="supportive")
    assert table.columns.tolist() == ["step", "user_id", "change", *[t for t in TERMS if t != "intercept"]]
    assert table.to_numpy().tolist() == [pytest.approx([1, 0, -0.1, 0.5, -0.4, 1.0, 1.0])]


def made_table(n_users: int = 40, steps: int = 12, noise: float = 0.05, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = n_users * steps
    user = np.repeat(np.arange(n_users), steps)
    table = pd.DataFrame(
        {
            "step": np.tile(np.arange(steps), n_users),
            "user_id": user,
            "before": rng.uniform(-1, 1, n),
            "shown_stance": rng.uniform(-1, 1, n),
            "cross_side_share": rng.uniform(0, 1, n),
            "positive_side": (user % 2).astype(float),
        }
    )
    own = rng.normal(0, noise, n_users)[user]
    change = -0.3 * table["before"] + 0.2 * table["shown_stance"] + own + rng.normal(0, noise, n)
    return table.assign(change=change)


def test_planted_drivers_are_found_within_their_intervals() -> None:
    fit = fit_drivers(made_table())
    found = fit.coefficients.set_index("term")
    for term, planted in {"before": -0.3, "shown_stance": 0.2, "cross_side_share": 0.0}.items():
        assert found.loc[term, "low"] < planted < found.loc[term, "high"]
    assert found.loc["shown_stance", "p_value"] < 1e-6
    assert (fit.n_rows, fit.n_users, fit.left_out) == (480, 40, ())
    assert 0.8 < fit.r_squared < 1.0


def test_errors_equal_the_cluster_sandwich_written_out() -> None:
    """(X'X)⁻¹ (Σ_u X_u' e_u e_u' X_u) (X'X)⁻¹ · G/(G − 1) · (N − 1)/(N − K)."""
    table = made_table(n_users=12, steps=5, seed=2)
    fit = fit_drivers(table)
    x = np.column_stack([np.ones(len(table)), table[[t for t in TERMS if t != "intercept"]].to_numpy()])
    y = table["change"].to_numpy()
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    scores = [
        x[rows].T @ (y - x @ beta)[rows] for rows in (table["user_id"].to_numpy() == u for u in range(12))
    ]
    meat = sum(np.outer(s, s) for s in scores) * 12 / 11 * 59 / 55
    assert fit.coefficients["estimate"].to_numpy() == pytest.approx(beta)
    assert fit.coefficients["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(bread @ meat @ bread)))


def test_copying_each_users_rows_does_not_make_the_errors_smaller() -> None:
    """That is what clustering is for: copies of a user bring no news."""
    table = made_table(seed=3)
    once = fit_drivers(table).coefficients
    thrice = fit_drivers(pd.concat([table] * 3)).coefficients
    assert thrice["std_error"].to_numpy() == pytest.approx(once["std_error"].to_numpy(), rel=0.02)


def test_terms_that_never_vary_are_left_out_and_named() -> None:
    fit = fit_drivers(made_table().assign(cross_side_share=0.5))
    assert fit.left_out == ("cross_side_share",)
    assert "cross_side_share" not in fit.coefficients["term"].tolist()


def test_too_few_users_are_refused() -> None:
    with pytest.raises(MetricInputError, match="9 users changed"):
        fit_drivers(made_table(n_users=9))
