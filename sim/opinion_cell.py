"""A cell whose agents are a classical opinion model: same people, follow graph, steps, activation and seed posts.

Such a cell needs no adapter, engine or platform, since nobody writes. Its first stances are those of the seed
posts under the run's own stance scorer; an agent without a seed post starts at the mean of its side's seeds
(ours). What it leaves is every agent's stance at every step, and the measures that exist without text.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.opinion.models import MODELS, OpinionCondition
from agents.opinion.neighbours import Neighbours
from agents.opinion.protocol import OpinionModel
from agents.opinion.trajectory import simulate
from agents.population import Population
from metrics.groups import polarization_values
from metrics.polarization import polarization_distance
from metrics.stance import StanceWeights, TextScorer, stance_evidence, user_stance
from sim.atomic import write_json
from sim.measuring import CellMeasures
from sim.progress import Watcher
from sim.rng import generator
from sim.run_dir import CellDir
from sim.world import World

_POSTS = ["post_id", "user_id", "original_post_id", "content", "quote_content", "created_at"]
_COMMENTS = ["comment_id", "post_id", "user_id", "content", "created_at"]
_MARKS = ["user_id", "post_id", "created_at"]


def opinion_model(condition: str) -> OpinionCondition | None:
    """The condition as the name of an opinion model; None for language agents."""
    return next((name for name in MODELS if name == condition), None)


def seed_stance(world: World, scorer: TextScorer) -> pd.Series[float]:
    """Stance of each agent's seed posts by agent id; NaN for an agent without one.

    Equal to what `metrics.measure` takes for `initial_polarization_distance` of language agents.
    """
    posts = pd.DataFrame(
        {
            "post_id": np.arange(1, len(world.seed_posts) + 1),
            "user_id": [post.agent_id for post in world.seed_posts],
            "original_post_id": pd.array([pd.NA] * len(world.seed_posts), dtype="Int64"),
            "content": [post.text for post in world.seed_posts],
            "quote_content": None,
            "created_at": 0,
        },
        columns=_POSTS,
    )
    none = pd.DataFrame(columns=_MARKS)
    evidence = stance_evidence(posts, pd.DataFrame(columns=_COMMENTS), none, none, scorer)
    return user_stance(evidence, world.population.side.index, StanceWeights.seeds_only())


def first_stance(seeded: pd.Series[float], side: pd.Series[str]) -> pd.Series[float]:
    """Where each agent starts: at its own seeds, else at the mean of its side's.

    Args:
        seeded: of `seed_stance`.
        side: by agent id.

    Returns:
        In [−1, 1], never NaN: 0 where a side has no seed with a stance.
    """
    of_side = seeded.groupby(side, dropna=False).transform("mean")
    return seeded.fillna(of_side).fillna(0.0)


def run_opinion_cell(
    cell: CellDir,
    world: World,
    name: OpinionCondition,
    model: OpinionModel,
    scorer: TextScorer,
    watcher: Watcher,
) -> CellMeasures:
    """Simulate a cell in memory and measure it; only `cell.json` is written here.

    One stream of chance serves all models of a size and seed, so they too are paired.
    """
    steps = len(world.schedule)
    watcher.begin(cell.key.id, steps)
    seeded = seed_stance(world, scorer)
    first = first_stance(seeded, world.population.side)
    _record(cell, name, model, seeded)
    path = simulate(
        model,
        np.asarray(first, dtype=np.float64),
        Neighbours.from_follows(world.follows, len(first)),
        world.schedule,
        generator(world.seed, "opinion model", len(first)),
    )
    watcher.advance(cell.key.id, steps)
    return CellMeasures(_values(path, seeded, world.population, scorer), _stance(path, first.index))


def _record(cell: CellDir, name: str, model: OpinionModel, seeded: pd.Series[float]) -> None:
    parameters: dict[str, Any] = asdict(model)  # type: ignore[call-overload]  # every model is a dataclass
    record = {"name": name, "parameters": parameters, "agents_with_seeds": int(seeded.notna().sum())}
    write_json(cell.path / "cell.json", {"cell": cell.key.id, "bindings": {}, "opinion_model": record})


def _values(
    path: NDArray[np.float64],
    seeded: pd.Series[float],
    population: Population,
    scorer: TextScorer,
) -> pd.DataFrame:
    side = population.side
    ends = {"positive": scorer.positive_side, "negative": scorer.negative_side}
    initial = polarization_distance(seeded, side, **ends)
    rows = [
        (step, metric, value)
        for step, opinions in enumerate(path)
        for metric, value in polarization_values(
            pd.Series(opinions, index=side.index), side, initial, **ends
        ).items()
    ]
    return pd.DataFrame(rows, columns=["step", "metric", "value"])


def _stance(path: NDArray[np.float64], agents: pd.Index) -> pd.DataFrame:
    steps, size = path.shape
    return pd.DataFrame(
        {
            "step": np.repeat(np.arange(steps), size),
            "user_id": np.tile(agents.to_numpy(), steps),
            "stance": path.ravel(),
        }
    )
