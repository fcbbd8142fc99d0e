"""`plures stance`: scorers of stance tried, used and questioned."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim.progress import Watcher
    from sim.stance_trial import Asking, Kind

app = typer.Typer(
    help="Stance: try scorers on labelled texts, score texts, measure annotators' agreement and opinion change.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Labelled = Annotated[
    Path, typer.Argument(help="File of labelled texts (CSV, JSONL, Parquet …).", show_default=False)
]
TextColumn = Annotated[
    str | None,
    typer.Option("--text", help="Column of the text; found by its usual names.", show_default=False),
]
LabelColumn = Annotated[
    str | None,
    typer.Option("--label", help="Column of the label; found by its usual names.", show_default=False),
]
UserColumn = Annotated[
    str | None,
    typer.Option("--user", help="Column of the author; authors are held out whole.", show_default=False),
]
Scorers = Annotated[
    list[str] | None,
    typer.Option(
        "--scorer",
        help="tfidf, minilm, lexicon, tfidf+minilm or language_model. May be repeated. [default: tfidf]",
        show_default=False,
    ),
]
Scorer = Annotated[
    str, typer.Option("--scorer", help="tfidf, minilm, lexicon, tfidf+minilm or language_model.")
]
Sample = Annotated[
    int | None, typer.Option("--sample", help="Use so many random rows of the file.", show_default=False)
]
Folds = Annotated[int, typer.Option("--folds", help="Parts of the cross-validation.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the folds and the sample.")]
BaseName = Annotated[str, typer.Option("--base", help="language_model: profile name or model folder.")]
Question = Annotated[str, typer.Option("--question", help="language_model: stands before the text.")]
Answers = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        help="language_model: LABEL=WORD, such as AGAINST=against. May be repeated. "
        "[default: the labels in lower case]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
_QUESTION = "What is the stance of this post?"


@app.command("evaluate")
def evaluate(
    labelled: Labelled,
    test: Annotated[
        Path | None,
        typer.Option(help="File of labelled texts to test on, of the same form.", show_default=False),
    ] = None,
    text: TextColumn = None,
    label: LabelColumn = None,
    user: UserColumn = None,
    scorers: Scorers = None,
    sample: Sample = None,
    folds: Folds = 5,
    seed: Seed = 0,
    base: BaseName = "tiny-moe",
    question: Question = _QUESTION,
    answers: Answers = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit scorers on labelled texts and say how far each can be trusted on texts that it has not seen.

    Example: plures stance evaluate train.csv --test val.csv --label stance --scorer tfidf --scorer lexicon
    """
    from dataclasses import asdict

    from sim.cli.console import out as screen
    from sim.cli.stance_tables import label_table, trial_table
    from sim.labelled_texts import read_labelled
    from sim.numbers import to_json
    from sim.rng import generator
    from sim.stance_trial import try_labels

    kinds, asking = _kinds(scorers), _asking(base, question, answers)
    train = read_labelled(labelled, text=text, label=label, user=user)
    train = train.sample(sample, generator(seed, "stance sample"))
    tested = None if test is None else read_labelled(test, text=text, label=label)
    with _watching(quiet) as watcher:
        trials = [
            try_labels(kind, train, tested, asking=asking, folds=folds, seed=seed, watcher=watcher)
            for kind in kinds
        ]
    if as_json:
        facts = [
            {
                "scorer": trial.kind,
                "toy": trial.toy,
                "held_out": asdict(trial.held_out),
                "test": None if trial.test is None else asdict(trial.test),
            }
            for trial in trials
        ]
        typer.echo(to_json({"texts": len(train.texts), "left_out": train.left_out, "scorers": facts}))
        return
    screen.print(trial_table(trials, len(train.texts)))
    for trial in trials:
        screen.print(label_table(trial))


@app.command("sides")
def sides(
    posts: Annotated[Path, typer.Argument(help="File of posts by users of two sides.", show_default=False)],
    positive: Annotated[
        str | None, typer.Option(help="The side that scores above 0. [default: the later of the two names]")
    ] = None,
    text: TextColumn = None,
    label: Annotated[
        str | None,
        typer.Option("--side", help="Column of the side; found by its usual names.", show_default=False),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", help="Column of the author; found by its usual names.", show_default=False),
    ] = None,
    scorers: Scorers = None,
    sample: Sample = None,
    folds: Folds = 5,
    seed: Seed = 0,
    base: BaseName = "tiny-moe",
    question: Question = "On which side is the author of this post?",
    answers: Answers = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit scorers on what two sides wrote and say whose side they tell, of users they have not seen.

    Example: plures stance sides posts.jsonl.gz --positive right --scorer tfidf
    """
    from dataclasses import asdict

    from sim.cli.console import out as screen
    from sim.cli.stance_tables import side_table
    from sim.labelled_texts import read_labelled
    from sim.numbers import to_json
    from sim.rng import generator
    from sim.stance_trial import try_sides

    kinds, asking = _kinds(scorers), _asking(base, question, answers)
    read = read_labelled(posts, text=text, label=label, user=user, needs_user=True)
    read = read.sample(sample, generator(seed, "stance sample"))
    up = positive or max(read.labels)
    with _watching(quiet) as watcher:
        trials = [
            try_sides(kind, read, up, asking=asking, folds=folds, seed=seed, watcher=watcher)
            for kind in kinds
        ]
    if as_json:
        facts = [{"scorer": t.scorer.kind, "toy": t.toy, **asdict(t.scorer.held_out)} for t in trials]
        typer.echo(to_json({"positive": up, "left_out": read.left_out, "scorers": facts}))
    else:
        screen.print(side_table(trials))


@app.command("score")
def score(
    labelled: Labelled,
    texts: Annotated[Path, typer.Argument(help="File of texts to score.", show_default=False)],
    out: Annotated[Path, typer.Option(help="CSV to write.", show_default=False)],
    positive: Annotated[str, typer.Option(help="The label at +1.")] = "FAVOR",
    negative: Annotated[str, typer.Option(help="The label at −1.")] = "AGAINST",
    text: TextColumn = None,
    label: LabelColumn = None,
    scorer: Scorer = "tfidf",
    seed: Seed = 0,
    base: BaseName = "tiny-moe",
    question: Question = _QUESTION,
    answers: Answers = None,
    quiet: Quiet = False,
) -> None:
    """Learn from labelled texts and give other texts a stance in [−1, 1], a label and probabilities.

    Example: plures stance score train.csv posts.csv --label stance --out scores.csv
    """
    import pandas as pd

    from metrics.stance.labelled import check_ends
    from sim.atomic import write_text
    from sim.labelled_texts import read_labelled
    from sim.stance_trial import try_labels

    (kind,), asking = _kinds([scorer]), _asking(base, question, answers)
    train = read_labelled(labelled, text=text, label=label)
    check_ends(train.labels, positive, negative)
    asked = read_labelled(texts, text=text, needs_label=False)
    with _watching(quiet) as watcher:
        trial = try_labels(kind, train, None, asking=asking, folds=5, seed=seed, watcher=watcher)
        stance = trial.scorer.between(positive, negative).score(asked.texts)
        probabilities = trial.scorer.probabilities(asked.texts)
    table = pd.DataFrame({"text": asked.texts, "stance": stance, "label": trial.scorer.predict(asked.texts)})
    for place, name in enumerate(trial.scorer.labels):
        table[f"p_{name}"] = probabilities[:, place]
    write_text(out, table.to_csv(index=False))
    typer.echo(f"{out}: {len(table)} texts, {negative} (−1) to {positive} (+1); {trial.held_out.summary}")


@app.command("agreement")
def agreement(
    ratings: Annotated[Path, typer.Argument(help="File with one rating a row.", show_default=False)],
    unit: Annotated[str, typer.Option(help="Column that names what was judged.")] = "unit",
    rater: Annotated[str, typer.Option(help="Column that names who judged.")] = "rater",
    label: Annotated[str, typer.Option(help="Column of the judgement.")] = "label",
    level: Annotated[str, typer.Option(help="nominal, ordinal, interval or ratio.")] = "nominal",
    as_json: AsJson = False,
) -> None:
    """Krippendorff's alpha: how far annotators agree beyond chance; missing ratings are welcome.

    Example: plures stance agreement ratings.csv --unit id --rater coder --label stance
    """
    from metrics.agreement import krippendorff_alpha, level_named, ratings_frame
    from sim.labelled_texts import read_columns
    from sim.numbers import number, to_json

    how = level_named(level)
    table = ratings_frame(read_columns(ratings, (unit, rater, label)), unit=unit, rater=rater, label=label)
    alpha = krippendorff_alpha(table, how)
    if as_json:
        typer.echo(to_json({"alpha": alpha, "level": how, "units": len(table), "raters": table.shape[1]}))
    else:
        typer.echo(
            f"Krippendorff's alpha ({how}) {number(alpha)}: {len(table)} units, {table.shape[1]} annotators"
        )


@app.command("drivers")
def drivers(
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    condition: Annotated[str, typer.Option(help="Which condition.")] = "lora",
    size: Annotated[
        int | None, typer.Option(help="Which population size. [default: the largest]", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How users' stance changed in a run, and what went along with it: a description, not a cause.

    Example: plures stance drivers runs/quickstart --condition lora
    """
    from sim.cli.console import out as screen
    from sim.cli.stance_tables import change_table, driver_caption, driver_table
    from sim.drivers import run_drivers
    from sim.numbers import to_json
    from sim.run_dir import RunDir

    folder = RunDir.open(run)
    chosen = size or max(folder.scenario.population.size)
    found = run_drivers(folder, condition, chosen)  # type: ignore[arg-type]  # an unknown one has no cells
    if as_json:
        facts = found.drivers._asdict() | {"coefficients": found.drivers.coefficients.to_dict("records")}
        changes = found.changes.to_dict("records")
        typer.echo(to_json({"toy": found.toy, "changes": changes, "drivers": facts}))
        return
    screen.print(change_table(found, condition, chosen))
    screen.print(driver_table(found.drivers))
    screen.print(driver_caption(found.drivers))


def _kinds(asked: list[str] | None) -> list[Kind]:
    from metrics.errors import StanceError
    from sim.stance_trial import KINDS

    kinds = asked or ["tfidf"]
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise StanceError(f"--scorer {unknown[0]}: expected one of {', '.join(KINDS)}")
    return kinds  # type: ignore[return-value]  # checked just above


def _asking(base: str, question: str, answers: list[str] | None) -> Asking:
    from metrics.errors import StanceError
    from sim.stance_trial import Asking

    pairs = [answer.partition("=") for answer in answers or ()]
    if wrong := [label + equals for label, equals, word in pairs if not (label and word)]:
        raise StanceError(f"--answer {wrong[0]}: expected LABEL=WORD, such as AGAINST=against")
    return Asking(base, question, {label: word for label, _, word in pairs})


def _watching(quiet: bool) -> AbstractContextManager[Watcher]:
    from sim.cli.console import progress_bars
    from sim.progress import Silent

    return nullcontext(Silent()) if quiet else progress_bars()
