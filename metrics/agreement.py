"""How far annotators agree beyond chance: Krippendorff's alpha."""

from __future__ import annotations

from typing import Literal, cast, get_args

import numpy as np
import pandas as pd

from metrics.errors import MetricInputError

Level = Literal["nominal", "ordinal", "interval", "ratio"]
"""How values differ: at all (names), by rank, by difference, or by ratio to their sum."""


def krippendorff_alpha(ratings: pd.DataFrame, level: Level = "nominal") -> float:
    """Agreement of any number of annotators, with missing values.

    1: all agree on everything; 0: no more than chance would give; negative: they disagree systematically.
    Krippendorff asks for 0.8 and calls 0.667 the lowest that allows tentative conclusions.

    Args:
        ratings: rows are units (texts), columns annotators; missing where an annotator did not judge. Text
            for `nominal`; numbers for all levels, for `ordinal` in the order of the values.
        level: how values are compared. FAVOR/NONE/AGAINST may be nominal, or ordinal as 1/0/−1.

    Returns:
        At most 1; NaN when chance leaves nothing to disagree about: no unit judged twice, or one value only.

    Raises:
        MetricInputError: text at a level that calls for numbers.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"; computed by the package
        `krippendorff`.
    """
    judged = ratings.loc[ratings.notna().sum(axis=1) >= 2]
    values = judged.to_numpy(dtype=object)
    known = ~judged.isna().to_numpy()
    codes, names = pd.factorize(values[known], sort=False)
    if len(names) < 2:
        return float("nan")
    table = np.full(values.shape, np.nan)
    if level == "nominal":
        table[known] = codes
    else:
        try:
            table[known] = values[known].astype(np.float64)
        except (TypeError, ValueError) as error:
            raise MetricInputError(
                f"ratings: level {level} compares numbers ({error}); recode the labels, or use nominal"
            ) from error
    from krippendorff import alpha

    return float(alpha(reliability_data=table.T, level_of_measurement=level))


def ratings_frame(rows: pd.DataFrame, *, unit: str, rater: str, label: str) -> pd.DataFrame:
    """Ratings one a row, as annotation tools export them, as a table for `krippendorff_alpha`.

    Args:
        rows: one rating each.
        unit: column that names what was judged.
        rater: column that names who judged.
        label: column of the judgement; rows without one are left out.

    Returns:
        Rows are units, columns annotators, both sorted.

    Raises:
        MetricInputError: a column that is not there, or two ratings of one unit by one annotator.
    """
    if missing := [column for column in (unit, rater, label) if column not in rows.columns]:
        raise MetricInputError(
            f"ratings: no column {', '.join(missing)}; there are {', '.join(map(str, rows.columns))}"
        )
    given = rows[rows[label].notna()]
    if (twice := given.duplicated([unit, rater])).any():
        first = given[twice].iloc[0]
        raise MetricInputError(
            f"ratings: {first[rater]!r} judged {first[unit]!r} twice; keep one rating a unit and annotator"
        )
    return given.pivot_table(index=unit, columns=rater, values=label, aggfunc="first")


def level_named(name: str) -> Level:
    """The level of measurement of that name.

    Raises:
        MetricInputError: for any other name.
    """
    if name not in get_args(Level):
        raise MetricInputError(f"level: got {name!r}; expected one of {', '.join(get_args(Level))}")
    return cast(Level, name)
