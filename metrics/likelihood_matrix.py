"""Whose words suit whose adapter: every person's held-out posts under every person's adapter."""

from __future__ import annotations

from typing import Any

import pandas as pd

from metrics.errors import MetricInputError
from metrics.individuality import BASE


def likelihood_matrix(
    nll: pd.DataFrame, owner: pd.Series[Any], tokens: pd.Series[int], calibration: pd.Series[bool]
) -> pd.DataFrame:
    """Mean negative log-likelihood of each person's tested posts under each adapter.

    Args:
        nll: nats per token; a row for each post, a column for each adapter by user id, and `base` for none.
        owner: author of each row.
        tokens: that the row's mean runs over, ≥ 1.
        calibration: True for rows that are not tested.

    Returns:
        A row for each person with a tested post and a column for each adapter, `base` last, both in the order of
        `nll`; nats per token, weighted by tokens. Least on the diagonal where adapters carry their persons.

    Raises:
        MetricInputError: no column `base`, or an owner without an adapter.

    Source: ours; the rows of `metrics.individuality` before they are averaged.
    """
    if BASE not in nll.columns:
        raise MetricInputError(f"nll: got columns {list(nll.columns)}; expected one a user, and {BASE!r}")
    people = nll.columns.drop(BASE)
    if len(strangers := owner[~owner.isin(people)]):
        raise MetricInputError(f"owner: {strangers.iloc[0]!r} has no adapter among the columns of nll")
    tested = ~calibration.to_numpy(dtype=bool)
    weight, author = tokens[tested].to_numpy(), owner[tested].to_numpy()
    summed = nll[tested].mul(weight, axis=0).groupby(author, sort=False).sum()
    means = summed.div(pd.Series(weight).groupby(author, sort=False).sum(), axis=0)
    return means.reindex(people[people.isin(means.index)])[[*people, BASE]]
