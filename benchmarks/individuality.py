"""What an adapter needs to carry its person: rank, linears, depth, trainer, on the same posts of the same people.

Quality only; how fast each is, `benchmarks.training` measures. Every recipe is compared with the first one, person by
person. What was trained and scored is kept in a folder, and the command given again goes on there; recipes that are
not finished are named as such.

    python -m benchmarks.individuality --corpus FILE [--folder DIR] [--minutes M] [--quick] [--json]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from adapters.lora.spec import ATTENTION_TARGETS
from benchmarks.harness import Case, Goal, Results, Sampled, main
from benchmarks.individuality_runs import Bench, Recipe, Setting
from metrics.individuality import Estimate, by_user, individuality
from metrics.individuality_contrast import individuality_contrast
from sim.individuality import HeldOutScores
from sim.rng import generator

TITLE = "Individuality: which adapters carry their persons"
MLP_TARGETS = ("gate_proj", "up_proj", "down_proj")
REFERENCE = Recipe("rank 4, attention, all layers")
PEFT = Recipe("rank 4, attention, all layers, PEFT one by one", trainer="PEFT")
FULL = Setting("smollm2", users=8, train_posts=80, held_out=20, calibration=5, epochs=2)
RECIPES = (
    REFERENCE,
    Recipe("rank 4, attention, from layer 15", first_layer=15),
    Recipe("rank 4, attention, from layer 20", first_layer=20),
    Recipe("rank 4, attention, from layer 10", first_layer=10),
    PEFT,
    Recipe("rank 1, attention, all layers", rank=1),
    Recipe("rank 4, MLP, all layers", targets=MLP_TARGETS),
    Recipe("rank 8, attention, all layers", rank=8),
    Recipe("rank 4, attention and MLP, all layers", targets=ATTENTION_TARGETS + MLP_TARGETS),
    Recipe("rank 2, attention, all layers", rank=2),
)
QUICK = Setting("tiny-moe", users=4, train_posts=8, held_out=3, calibration=2, epochs=1)
QUICK_RECIPES = (REFERENCE, Recipe("rank 1, attention, from layer 2", rank=1, first_layer=2), PEFT)

NO_WORSE = 0.03
"""Share of posts that adapters on the upper layers alone may lose."""
SAME = 0.01
"""Nats per token by which the two trainers may differ."""
_SECONDS_PER_MINUTE = 60


def options() -> argparse.ArgumentParser:
    """The options of this benchmark alone."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--corpus",
        type=Path,
        help="file of people's posts, as in a scenario; --quick makes some up without it",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/individuality"), help="where finished work is kept"
    )
    parser.add_argument("--minutes", type=float, help="begin no further piece of work after so many")
    return parser


def measure(given: argparse.Namespace, quick: bool) -> Results:
    """Do what is left to do, as far as the time goes, and report on all that is finished.

    Raises:
        SystemExit: without a corpus, unless `quick`.
    """
    if given.corpus is None and not quick:
        raise SystemExit("--corpus: name a file of people's posts, such as posts.jsonl.gz; or try --quick")
    setting, recipes = (QUICK, QUICK_RECIPES) if quick else (FULL, RECIPES)
    file = {"kind": "file", "path": given.corpus}
    bench = Bench(setting, file if given.corpus else {"kind": "synthetic", "users": 8}, given.folder)
    _work(bench, recipes, given.minutes)
    scores = {recipe: bench.scores(recipe) for recipe in recipes}
    return _results(bench, {recipe: found for recipe, found in scores.items() if found}, recipes)


def _work(bench: Bench, recipes: Sequence[Recipe], minutes: float | None) -> None:
    start = time.monotonic()
    for recipe in recipes:
        for piece in bench.pieces(recipe):
            if minutes is not None and time.monotonic() - start > minutes * _SECONDS_PER_MINUTE:
                return
            piece()


def _results(bench: Bench, scores: Mapping[Recipe, HeldOutScores], recipes: Sequence[Recipe]) -> Results:
    results, people = Results(), {recipe: _by_user(found) for recipe, found in scores.items()}
    for recipe in recipes:
        setting: dict[str, Any] = {**asdict(bench.setting), **asdict(recipe)}
        setting.pop("name")
        figures: dict[str, Sampled] = {}
        if recipe in scores:
            setting["weights"] = bench.parameters(recipe)
            figures = _absolute(scores[recipe])
        else:
            setting["finished"] = False
        if recipe in scores and recipe != REFERENCE and REFERENCE in scores:
            figures |= _against_reference(recipe, people, results)
        results.cases.append(Case(recipe.name, setting, figures))
    return results


def _absolute(scores: HeldOutScores) -> dict[str, Sampled]:
    found = individuality(
        scores.nll,
        scores.owner,
        scores.tokens,
        calibration=scores.calibration,
        rng=generator(0, "individuality"),
    )
    estimates = {
        "perplexity, own adapter": found.own_perplexity,
        "perplexity, others' adapters": found.others_perplexity,
        "perplexity, base": found.base_perplexity,
        "identified from one post": found.top1_post,
        "identified from one post, calibrated": found.calibrated_top1_post,
        "identified from all posts": found.top1_user,
        "identified from all posts, calibrated": found.calibrated_top1_user,
        "chance": Estimate(found.chance, found.chance, found.chance),
    }
    return {name: Sampled(*estimate, people=found.n_users) for name, estimate in estimates.items()}


def _against_reference(
    recipe: Recipe, people: Mapping[Recipe, pd.DataFrame], results: Results
) -> dict[str, Sampled]:
    """Differences to the reference; goals go to the results."""
    found = individuality_contrast(
        people[recipe], people[REFERENCE], rng=generator(0, "individuality contrast")
    )
    if recipe == PEFT:
        goal = Goal("stacked against PEFT, |nats per token|", abs(found.own_nats.value), SAME, at_least=False)
        results.goals.append(goal)
    if recipe.first_layer:
        for how, more in (("", found.top1_post), (", calibrated", found.calibrated_top1_post)):
            name = f"share of posts no longer identified{how}, {recipe.name}"
            results.goals.append(Goal(name, -more.value, NO_WORSE, at_least=False))
    estimates = {
        "against the first, own nats per token": found.own_nats,
        "against the first, gain over others in nats": found.gain_over_others,
        "against the first, one post": found.top1_post,
        "against the first, one post, calibrated": found.calibrated_top1_post,
    }
    return {name: Sampled(*estimate, people=len(people[recipe])) for name, estimate in estimates.items()}


def _by_user(scores: HeldOutScores) -> pd.DataFrame:
    return by_user(scores.nll, scores.owner, scores.tokens, calibration=scores.calibration)


if __name__ == "__main__":
    own = options()
    given, rest = own.parse_known_args()
    raise SystemExit(main(TITLE, partial(measure, given), rest, own=own))
