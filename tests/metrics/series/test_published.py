"""The printed table of group opinion."""

from __future__ import annotations

from metrics.series.published import PUBLISHED, published_frame


def test_table_as_printed() -> None:
    """EvoBot, arXiv 2508.17711, table 5: mean/std/Δmean/Δstd of bounded confidence and EvoBot."""
    frame = published_frame().set_index(["dataset", "method"])
    assert list(frame.loc[("COVID", "EvoBot")]) == [0.010, 0.428, 0.072, 0.052]
    assert list(frame.loc[("Russia–Ukraine", "bounded confidence")]) == [-0.304, 0.104, 0.104, 0.554]
    assert frame.loc[("COVID", "real")].isna().tolist() == [False, False, True, True]
    assert len(frame) == len(PUBLISHED) == 12


def test_two_printed_deltas_are_below_the_difference_of_means() -> None:
    """A mean of |differences| is at least |the difference of means|; the table breaks this twice (see the module)."""
    frame = published_frame()
    real = frame[frame["method"] == "real"].set_index("dataset")
    rows = frame[frame["method"] != "real"].to_dict("records")
    rounding = 1.1e-3
    broken = [
        (row["dataset"], row["method"], quantity)
        for row in rows
        for quantity in ("bias", "diversity")
        if row[f"delta_{quantity}"] < abs(row[quantity] - real.loc[row["dataset"], quantity]) - rounding
    ]
    assert broken == [
        ("COVID", "GPT", "diversity"),
        ("Russia–Ukraine", "bounded confidence", "diversity"),
    ]
