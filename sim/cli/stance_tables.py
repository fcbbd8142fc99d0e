"""Records of stance scorers, and changes of opinion, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from metrics.drivers import Drivers
from sim.drivers import RunDrivers
from sim.numbers import interval, number
from sim.stance_trial import SideTrial, Trial


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left")
    return table


def _named(kind: str, toy: bool) -> str:
    return f"{kind} (toy base)" if toy else kind


def trial_table(trials: Sequence[Trial], n_texts: int) -> Table:
    """One row for each scorer and set of unseen texts."""
    columns = (
        "scorer",
        "on",
        "texts",
        "macro-F1",
        "accuracy",
        "constant answer",
        "Brier",
        "calibration error",
    )
    table = _table(f"Stance scorers, fitted on {n_texts} labelled texts", columns)
    for trial in trials:
        records = {f"{trial.held_out.n_folds} folds": trial.held_out, "test": trial.test}
        for name, record in records.items():
            if record is not None:
                table.add_row(
                    _named(trial.kind, trial.toy),
                    name,
                    str(record.n_texts),
                    f"{record.macro_f1:.3f}",
                    f"{record.accuracy:.3f}",
                    f"{record.majority:.3f}",
                    f"{record.brier:.3f}",
                    f"{record.ece:.3f}",
                )
    return table


def label_table(trial: Trial) -> Table:
    """One row for each label, on the test texts where there are any."""
    record, where = (trial.held_out, "held-out texts") if trial.test is None else (trial.test, "test texts")
    columns = ("label", "texts", "precision", "recall", "F1")
    table = _table(
        f"{_named(trial.kind, trial.toy)}, {where}, {record.shared_texts:.1%} seen in training", columns
    )
    for one in record.labels:
        table.add_row(one.label, str(one.n), f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}")
    return table


def side_table(trials: Sequence[SideTrial]) -> Table:
    """One row for each scorer."""
    first = trials[0].scorer
    title = f"{first.negative_side} (−1) to {first.positive_side} (+1), users held out"
    table = _table(
        title,
        (
            "scorer",
            "users",
            "users told",
            "constant",
            "recall +",
            "recall −",
            "posts",
            "posts told",
            "Brier",
            "ECE",
        ),
    )
    for trial in trials:
        record = trial.scorer.held_out
        shares = (record.accuracy_user, record.majority_user, record.recall_positive, record.recall_negative)
        table.add_row(
            _named(trial.scorer.kind, trial.toy),
            str(record.n_users),
            *(f"{share:.3f}" for share in shares),
            str(record.n_posts),
            f"{record.accuracy_post:.3f}",
            f"{record.brier:.3f}",
            f"{record.ece:.3f}",
        )
    return table


def change_table(found: RunDrivers, condition: str, size: int) -> Table:
    """Mean over seeds, step by step."""
    changes = found.changes
    columns = ("step", "users", "mean change", "mean size", "std", "moved up", "moved down")
    title = f"Change of stance, {condition}, N={size}, mean of {changes['seed'].nunique()} seeds"
    table = _table(_named(title, found.toy), columns)
    for step, row in changes.drop(columns="seed").groupby("step").mean().iterrows():
        table.add_row(
            str(step),
            number(row["n"]),
            number(row["mean"], signed=True),
            *(number(row[name]) for name in ("mean_absolute", "std", "share_up", "share_down")),
        )
    return table


def driver_table(found: Drivers) -> Table:
    """One row for each term of the regression."""
    table = _table(
        "What went along with a change of stance", ("term", "estimate", "95% interval", "p", "reads")
    )
    table.columns[-1].justify = "left"
    for row in found.coefficients.to_dict("records"):
        table.add_row(
            row["term"],
            number(row["estimate"], signed=True),
            interval(row["low"], row["high"]),
            number(row["p_value"]),
            row["reads"],
        )
    return table


def driver_caption(found: Drivers) -> str:
    """What the table stands on, and what it does not say."""
    unvaried = f" Without variation, and left out: {', '.join(found.left_out)}." if found.left_out else ""
    return (
        f"{found.n_rows} changes of {found.n_users} users, R² {number(found.r_squared)}; errors clustered by user. "
        "Descriptive: what users are shown depends on what they said and whom they follow; stance falls back towards "
        f"its mean, and a like counts at the stance of what was shown, by arithmetic.{unvaried}"
    )
