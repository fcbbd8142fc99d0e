"""Results as tables for the terminal."""

from __future__ import annotations

from rich.table import Table

from metrics.catalogue import CATALOGUE
from metrics.individuality import Estimate, Individuality
from sim.comparison import compare_run
from sim.numbers import interval, number
from sim.run_dir import RunDir

HEADLINE_GROUPS = ("polarization", "communities", "attention", "exposure", "failures")


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
        f"{scenario.simulation.steps} steps, {len(scenario.seeds)} seeds, base {manifest['base']['name']}.{toy}"
    )


def comparison_table(run: RunDir) -> Table:
    """The scenario's own contrast, one row for each size and measure."""
    compare = run.scenario.compare
    table = Table(
        title=f"{compare.treatment} against {compare.control}, paired over seeds, 95% intervals (Student's t)"
    )
    for name in (
        "N",
        "measure",
        compare.treatment,
        compare.control,
        "difference",
        "interval",
        "ratio",
        "seeds",
    ):
        table.add_column(name, justify="left" if name == "measure" else "right")
    rows = compare_run(run)
    if rows.empty:
        return table
    own = rows[(rows.treatment_condition == compare.treatment) & (rows.control_condition == compare.control)]
    for row in own.to_dict("records"):
        metric = CATALOGUE[row["metric"]]
        if metric.group in HEADLINE_GROUPS or metric.id in ("comments", "original_posts", "posts_per_user"):
            table.add_row(
                str(row["n"]),
                metric.label,
                number(row["treatment"]),
                number(row["control"]),
                number(row["difference"], signed=True),
                interval(row["low"], row["high"]),
                number(row["ratio"]),
                str(row["n_seeds"]),
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
