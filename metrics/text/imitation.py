"""Do adapters write like their persons? Texts attributed by a classifier that knows people's real posts alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metrics.errors import MetricInputError
from metrics.individuality import Estimate
from metrics.text.authorship import chance, fit_author_classifier, identified, user_credits
from metrics.text.copying import Originals, copied

ADAPTER, BASE, REAL = "adapter", "base", "real"
WRITERS = (ADAPTER, BASE, REAL)
"""A person's adapter, the bare base in the person's place, and the person: held-out posts, the yardstick."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """How often one kind of writer is taken for the person whose place it has.

    Args:
        top1_post: share of a person's texts whose likeliest author is that person; mean over people.
        top1_tail: share of people whose texts together are likeliest theirs.
        copied: share of texts that repeat, or nearly repeat, one of the person's training posts.
        texts: attributed texts.
        people: with any text.
    """

    top1_post: Estimate
    top1_tail: Estimate
    copied: float
    texts: int
    people: int

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers: every estimate as `{"value", "low", "high"}`."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {k: v._asdict() if isinstance(v, Estimate) else v for k, v in fields.items()}


_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))
_SILENT = Attributed(_UNKNOWN, _UNKNOWN, copied=float("nan"), texts=0, people=0)


@dataclass(frozen=True, slots=True)
class Imitation:
    """What `imitation` finds.

    Args:
        writers: each of `WRITERS` → its shares; NaN where it wrote nothing.
        guesses: the texts with a column `guess`, the likeliest author (the first of those that tie).
        chance: of a guess.
    """

    writers: dict[str, Attributed]
    guesses: pd.DataFrame
    chance: float


def imitation(train: pd.DataFrame, texts: pd.DataFrame, *, rng: np.random.Generator) -> Imitation:
    """Attribute texts to people by the style of their real training posts.

    Compare writers only where they have about as many texts a person: a tail of many is easier to tell.

    Args:
        train: real posts to learn from; columns `person`, `text`.
        texts: to attribute; columns `person` (whose place the writer has), `writer` (one of `WRITERS`), `text`.
        rng: orders the classifier's passes and draws resamples of people.

    Returns:
        Shares with bootstrap intervals over people. A writer that knows nothing of the person reaches `chance`; the
        yardstick `real` is what the classifier makes of the persons' own later posts.

    Raises:
        MetricInputError: an unknown writer, or a person without training posts.

    Source: ours; the classifier is `metrics.text.authorship.fit_author_classifier`, copies are
        `metrics.text.copying`.
    """
    if len(unknown := texts.loc[~texts["writer"].isin(WRITERS), "writer"]):
        raise MetricInputError(f"writer: got {unknown.iloc[0]!r}; expected one of {', '.join(WRITERS)}")
    if len(strangers := texts.loc[~texts["person"].isin(train["person"]), "person"]):
        raise MetricInputError(f"person: {strangers.iloc[0]!r} has no training posts")
    classifier = fit_author_classifier(train["text"].tolist(), train["person"].tolist(), rng=rng)
    originals = {person: Originals(own.tolist()) for person, own in train.groupby("person")["text"]}
    writers, guesses = {}, []
    for writer in WRITERS:
        own = texts[texts["writer"] == writer]
        if own.empty:
            writers[writer] = _SILENT
            continue
        scores = classifier.scores(own["text"].tolist())
        credits_of = user_credits(scores, own["person"].tolist())
        repeats = copied(own["text"].tolist(), [originals[person] for person in own["person"]])
        writers[writer] = Attributed(
            top1_post=identified(credits_of["top1_post"], rng=rng),
            top1_tail=identified(credits_of["top1_tail"], rng=rng),
            copied=float(repeats["near"].mean()),
            texts=len(own),
            people=len(credits_of),
        )
        guesses.append(own.assign(guess=scores.idxmax(axis=1).to_numpy()))
    found = pd.concat(guesses, ignore_index=True) if guesses else texts.assign(guess="")
    return Imitation(writers, found, chance(len(classifier.authors), 1))
