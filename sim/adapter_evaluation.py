"""`plures adapters evaluate`: from a scenario to whether its adapters carry the people, written down in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from adapters.store import AdapterStore
from agents.corpus import Post
from metrics.individuality import FEWEST_IMPOSTORS, Individuality, individuality
from metrics.text.imitation import REAL, Imitation, imitation
from sim.adapter_evidence import evaluation_evidence, serving_path
from sim.engines import check_engine, open_engine
from sim.generated_posts import write_posts, writing_task
from sim.imitation_files import failures_by_writer, imitation_file, keep_imitation
from sim.individuality import score_held_out
from sim.likelihood_files import keep_likelihoods
from sim.people import People
from sim.preparation import everyone, obtain_adapters, prepare_training
from sim.progress import Watcher
from sim.rng import generator
from sim.scenario import Scenario


class Amounts(NamedTuple):
    """How much of each person is looked at.

    Args:
        held_out: held-out posts, at least 1.
        calibration: training posts that calibrate the others' adapters; nothing is calibrated where that makes fewer
            than two posts for an adapter.
        generated: posts that the person's adapter writes, and the base as many; 0 for none.
    """

    held_out: int = 10
    calibration: int = 5
    generated: int = 0


@dataclass(frozen=True)
class Evaluation:
    """What was found.

    Args:
        base: name of the base.
        toy: whether it is a toy.
        individuality: of likelihoods of held-out posts.
        imitation: of generated posts; None where none were asked for.
        failures: writer → reason → generated texts that did not come about.
    """

    base: str
    toy: bool
    individuality: Individuality
    imitation: Imitation | None
    failures: dict[str, dict[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        plain = {"base": self.base, "toy": self.toy, **self.individuality.as_dict()}
        if self.imitation is not None:
            writers = {writer: shares.as_dict() for writer, shares in self.imitation.writers.items()}
            chance = self.imitation.chance
            plain["generated"] = {"writers": writers, "chance": chance, "failures": self.failures}
        return plain


def evaluate_adapters(
    scenario: Scenario, store: AdapterStore, amounts: Amounts, watcher: Watcher
) -> Evaluation:
    """Train what is missing, score held-out posts, let adapters write, and keep all that is found in the store.

    Args:
        scenario: people, base, adapters, engine; its population must have the held-out posts.
        store: adapters come from it and go to it, and what is found too.
        amounts: of posts.
        watcher: told of progress.

    Raises:
        As `sim.preparation.prepare_training` and `sim.engines.check_engine`.
        SimError: a post that cannot be scored, or a base that cannot write under the rendering.
    """
    ready = prepare_training(scenario)
    check_engine(scenario, ready.base)
    others = len(everyone(ready.people)) - 1
    calibration = amounts.calibration if others * amounts.calibration >= FEWEST_IMPOSTORS else 0
    rendering, sampling = scenario.adapters.rendering, scenario.simulation.sampling
    if amounts.generated:
        writing_task(ready.base, rendering, sampling.max_chars)  # can it write at all?
    own = obtain_adapters(scenario, ready, store, watcher, store.root / "training").own
    written = None
    engine = open_engine(scenario, ready.base, store, watcher=watcher)
    try:
        scores = score_held_out(
            engine,
            ready.base,
            [ready.people.splits[user_id] for user_id in everyone(ready.people)],
            own,
            rendering=rendering,
            held_out=amounts.held_out,
            calibration=calibration,
            watcher=watcher,
        )
        if amounts.generated:
            written = write_posts(
                engine,
                ready.base,
                own,
                posts=amounts.generated,
                rendering=rendering,
                sampling=sampling,
                watcher=watcher,
            )
    finally:
        engine.close()
    store.evidence.add(evaluation_evidence(scores, own, rendering, serving_path(scenario)))
    kept = keep_likelihoods(store.layout.evaluations, scores, own)
    found, failures = None, {}
    if written is not None:
        found, failures = _attributed(ready.people, list(own), written), failures_by_writer(written)
        keep_imitation(imitation_file(kept), found, failures)
    likely = individuality(
        scores.nll,
        scores.owner,
        scores.tokens,
        calibration=scores.calibration if calibration else None,
        rng=generator(0, "individuality"),
    )
    return Evaluation(ready.base.name, ready.base.is_toy, likely, found, failures)


def _attributed(people: People, persons: Sequence[str], written: pd.DataFrame) -> Imitation:
    """Generated texts and as many real ones, taken for whom they look like."""
    posts = int(written["number"].max()) + 1
    train = _frame((person, people.splits[person].train) for person in persons)
    real = _frame((person, people.splits[person].held_out[:posts]) for person in persons).assign(writer=REAL)
    texts = written.loc[written["failure"] == "", ["person", "writer", "text"]]
    return imitation(train, pd.concat([texts, real], ignore_index=True), rng=generator(0, "imitation"))


def _frame(of_persons: Iterable[tuple[str, Sequence[Post]]]) -> pd.DataFrame:
    rows = [(person, post.text) for person, posts in of_persons for post in posts]
    return pd.DataFrame(rows, columns=["person", "text"])
