"""Results as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from metrics.catalogue import CATALOGUE
from metrics.individuality import Estimate, Individuality
from metrics.text.imitation import ADAPTER, BASE, REAL, Imitation
from sim.comparison import CONTRAST_COLUMNS, compare_run
from sim.numbers import counted, interval, number, seeds
from sim.run_dir import RunDir

HEADLINE_METRICS = frozenset(
    metric.id
    for metric in CATALOGUE.values()
    if metric.group != "activity" or metric.id in ("comments", "original_posts", "posts_per_user")
)
"""Shown in the terminal; the report has all."""

WRITER_LABELS = {ADAPTER: "own adapter", BASE: "base", REAL: "the person (held out)"}


def headline(run: RunDir) -> str:
    """One line: what was run, and whether its numbers are a toy's."""
    manifest, scenario = run.manifest, run.scenario
    done = sum(cell.done for cell in run.cells())
    toy = (
        " TOY BASE: the numbers show that the machinery works, not how people behave."
        if manifest["base"]["toy"]
        else ""
    )
    sizes = "/".join(map(str, scenario.population.size))
    return (
        f"{scenario.name}: {run.state}, {done} of {len(run.cells())} cells, N={sizes}, "
        f"{counted(scenario.simulation.steps, 'step')}, {counted(len(scenario.seeds), 'seed')}, "
        f"base {manifest['base']['name']}.{toy}"
    )


def comparison_tables(run: RunDir) -> Group:
    """The scenario's own contrast: a table for each size, then the measures without a value."""
    compare, compared = run.scenario.compare, compare_run(run)
    own = compared[compared[CONTRAST_COLUMNS].eq([compare.treatment, compare.control]).all(axis=1)]
    if own.empty:
        return Group(
            f"Nothing to compare yet: no finished pair of {compare.treatment} and {compare.control}."
        )
    parts: list[Table | str] = []
    for n, rows in own.groupby("n"):
        shown = rows[rows["metric"].isin(HEADLINE_METRICS)]
        parts.append(
            _comparison_table(compare.treatment, compare.control, str(n), shown[shown["n_seeds"] > 0])
        )
        if missing := [CATALOGUE[metric].label for metric in shown.loc[shown["n_seeds"] == 0, "metric"]]:
            parts.append(f"Without a value: {', '.join(missing)}. The report says why.")
    return Group(*parts)


def _comparison_table(treatment: str, control: str, n: str, rows: pd.DataFrame) -> Table:
    table = Table(
        title=f"{treatment} against {control}, paired over seeds, N = {n}",
        caption="95% intervals: Student's t. p: sign flips; Holm allows for all measures. Effect: Hedges' g. "
        "Needed: seeds that find it 4 times in 5.",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("measure", min_width=22)
    for name in (
        treatment,
        control,
        "difference",
        "95% interval",
        "p",
        "Holm p",
        "effect",
        "seeds",
        "needed",
    ):
        table.add_column(name, justify="right")
    for row in rows.to_dict("records"):
        table.add_row(
            CATALOGUE[row["metric"]].label,
            number(row["treatment"]),
            number(row["control"]),
            number(row["difference"], signed=True),
            interval(row["low"], row["high"]),
            number(row["p_value"]),
            number(row["p_holm"]),
            number(row["effect_size"], signed=True),
            str(row["n_seeds"]),
            seeds(row["seeds_needed"]),
        )
    return table


def individuality_table(result: Individuality, *, toy: bool) -> Table:
    """Perplexities and identification shares with their intervals."""
    title = f"{result.n_users} people, {result.n_posts} held-out posts" + (" (toy base)" if toy else "")
    table = Table(title=title)
    for name in ("measure", "value", "95% interval"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for label, value in individuality_rows(result):
        table.add_row(label, number(value.value), interval(value.low, value.high))
    table.add_row("chance of identification", number(result.chance), "")
    return table


def imitation_table(found: Imitation, failures: Mapping[str, Mapping[str, int]]) -> Table:
    """Whom generated and real posts are taken for, with 95% intervals over people."""
    table = Table(title="Whose posts they look like, to a classifier that learned from real ones")
    for name in (
        "written by",
        "author from one post",
        "95% interval",
        "from all",
        "copied",
        "texts",
        "failed",
    ):
        table.add_column(name, justify="left" if name == "written by" else "right")
    for writer, shares in found.writers.items():
        post = shares.top1_post
        table.add_row(
            WRITER_LABELS[writer],
            number(post.value),
            interval(post.low, post.high),
            number(shares.top1_tail.value),
            number(shares.copied),
            str(shares.texts),
            str(sum(failures.get(writer, {}).values())),
        )
    table.add_row("chance", number(found.chance), "", number(found.chance), "", "", "")
    return table


def individuality_rows(result: Individuality) -> list[tuple[str, Estimate]]:
    """Label and estimate, in reading order."""
    return [
        ("perplexity, own adapter", result.own_perplexity),
        ("perplexity, others' adapters", result.others_perplexity),
        ("perplexity, base", result.base_perplexity),
        ("gain over base, nats per token", result.gain_over_base),
        ("gain over others, nats per token", result.gain_over_others),
        ("author identified from one post", result.top1_post),
        ("author identified from the whole tail", result.top1_user),
        ("from one post, calibrated", result.calibrated_top1_post),
        ("from the whole tail, calibrated", result.calibrated_top1_user),
    ]
