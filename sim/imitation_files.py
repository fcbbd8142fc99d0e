"""Whom generated posts are taken for, kept beside the likelihoods of the same evaluation.

A JSON file in `STORE/evaluations/` of the same name: `chance`, `writers` (shares with intervals by kind of writer),
`failures` (texts that did not come about, by writer and reason) and `posts` (every text, with the author it was taken
for). Nothing depends on these files; they may be deleted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from sim.atomic import write_text
from sim.errors import SimError
from sim.numbers import to_json

if TYPE_CHECKING:
    from metrics.text.imitation import Imitation

POST_COLUMNS = ("person", "writer", "text", "guess")
SHARE_COLUMNS = ("writer", "top1_post", "low", "high", "top1_tail", "copied", "texts", "people", "failed")

_MEASURED = SHARE_COLUMNS[1:6]


class Kept(NamedTuple):
    """One evaluation of generated posts.

    Args:
        shares: a row for each kind of writer, `SHARE_COLUMNS`; `low` and `high` bound `top1_post`; `failed` counts
            texts that did not come about.
        posts: a row for each text, `POST_COLUMNS`.
        chance: of a guess.
    """

    shares: pd.DataFrame
    posts: pd.DataFrame
    chance: float


def imitation_file(likelihoods: Path) -> Path:
    """Where the posts of an evaluation are, there or not, by its file of likelihoods."""
    return likelihoods.with_suffix(".json")


def failures_by_writer(written: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Writer → reason → texts of `sim.generated_posts.write_posts` that did not come about."""
    failed = written[written["failure"] != ""]
    return {
        str(writer): {str(reason): int(count) for reason, count in rows["failure"].value_counts().items()}
        for writer, rows in failed.groupby("writer")
    }


def keep_imitation(file: Path, found: Imitation, failures: dict[str, dict[str, int]]) -> None:
    """Write an evaluation of generated posts down.

    Args:
        file: as `imitation_file` names it.
        found: shares and guesses.
        failures: as `failures_by_writer` counts them.
    """
    record = {
        "chance": found.chance,
        "writers": {writer: shares.as_dict() for writer, shares in found.writers.items()},
        "failures": failures,
        "posts": found.guesses[list(POST_COLUMNS)].to_dict("records"),
    }
    write_text(file, to_json(record) + "\n")


def read_imitation(file: Path) -> Kept:
    """Read an evaluation of generated posts.

    Raises:
        SimError: a file that cannot be read.
    """
    try:
        record = json.loads(file.read_text("utf-8"))
        rows = [
            (
                writer,
                *(one["top1_post"][key] for key in ("value", "low", "high")),
                one["top1_tail"]["value"],
                *(one[key] for key in ("copied", "texts", "people")),
                sum(record["failures"].get(writer, {}).values()),
            )
            for writer, one in record["writers"].items()
        ]
        posts = pd.DataFrame(record["posts"], columns=list(POST_COLUMNS))
        shares = pd.DataFrame(rows, columns=list(SHARE_COLUMNS)).astype(dict.fromkeys(_MEASURED, float))
        return Kept(shares, posts, float(record["chance"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SimError(
            f"{file}: damaged ({error}). It holds an evaluation only: delete it; `plures adapters evaluate "
            f"--generated` makes a new one."
        ) from error
