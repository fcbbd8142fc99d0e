"""The work behind `benchmarks.individuality`, in pieces that are kept: adapters in a store, scores in files.

A piece that was finished is never done again, whichever process did it, so that hours of training fit between other
work. A piece is the training of a few users, or the scores of all posts under the adapters of one recipe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from adapters.bases.loader import Base
from adapters.engines.local import LocalEngine
from adapters.lora.spec import ATTENTION_TARGETS
from adapters.store import AdaptersFor, AdapterStore, Manifest
from adapters.training.data import plan_users
from agents.corpus import SplitUser
from agents.rendering import Rendering
from benchmarks.peft_trainer import PeftTrainer
from sim.adapter_supply import obtain
from sim.individuality import HeldOutScores, score_held_out
from sim.preparation import Ground, authors, everyone, prepare_training
from sim.progress import Silent
from sim.run_dir import write_frame
from sim.scenario import AdaptersBlock
from sim.scenario_file import scenario_from
from sim.training_jobs import Job, personal_jobs

Trainer = Literal["stacked", "PEFT"]
USERS_IN_A_PIECE = 4
_ADAPTER = "nll."


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to make an adapter of a person.

    Args:
        name: of the case.
        rank: of the adapters; alpha stays 16.
        targets: linears that carry the adapter.
        first_layer: decoder layers below it carry none.
        trainer: `stacked` is Plures's own, many users at once; `PEFT` takes one after another.
    """

    name: str
    rank: int = 4
    targets: tuple[str, ...] = ATTENTION_TARGETS
    first_layer: int = 0
    trainer: Trainer = "stacked"


@dataclass(frozen=True, slots=True)
class Setting:
    """What all recipes share.

    Args:
        base: profile name or folder.
        users: half from each side, drawn with seed 0.
        train_posts: of each user, the earliest.
        held_out: of each user, later ones, tested.
        calibration: of each user, the last training posts, which calibrate the others' adapters.
        epochs: passes over the training posts.
        rendering: of posts, in training and in the test.
    """

    base: str
    users: int
    train_posts: int
    held_out: int
    calibration: int
    epochs: int = 3
    rendering: Rendering = "raw"


@dataclass(frozen=True)
class Bench:
    """A setting on a corpus, and the folder that keeps what was done.

    Args:
        setting: shared by all recipes.
        corpus: a scenario's `corpus` block.
        folder: of stores and scores; may not be there yet.
    """

    setting: Setting
    corpus: Mapping[str, Any]
    folder: Path

    def pieces(self, recipe: Recipe) -> Iterator[Callable[[], object]]:
        """What is left to do for a recipe, in order; a later piece needs those before it."""
        jobs, store = self._jobs(recipe), self._store(recipe)
        missing = [user for user, job in jobs.items() if store.find(job.key) is None]
        step = USERS_IN_A_PIECE if recipe.trainer == "stacked" else 1
        for start in range(0, len(missing), step):
            part = {user: jobs[user] for user in missing[start : start + step]}
            yield partial(self._train, recipe, part, store)
        if not self._score_file(recipe, store).exists():
            yield partial(self._score, recipe, store)

    def scores(self, recipe: Recipe) -> HeldOutScores | None:
        """All posts under the adapters of a recipe; None while any piece is left."""
        store = self._store(recipe)
        if any(store.find(job.key) is None for job in self._jobs(recipe).values()):
            return None
        file = self._score_file(recipe, store)
        return _read(file) if file.exists() else None

    def parameters(self, recipe: Recipe) -> int:
        """Weights in one adapter of a recipe that has its scores."""
        store = self._store(recipe)
        return store.row(next(iter(self._revisions(recipe, store).values()))).shape.parameters

    @cached_property
    def ground(self) -> Ground:
        """The people and the base."""
        return prepare_training(scenario_from(self._scenario, (), folder=Path.cwd()))

    @property
    def _scenario(self) -> dict[str, Any]:
        setting = self.setting
        return {
            "name": "individuality",
            "base": setting.base,
            "corpus": dict(self.corpus),
            "population": {
                "size": setting.users,
                "train_posts": setting.train_posts,
                "held_out_posts": setting.held_out,
            },
            "conditions": ["lora"],
            "compare": {"treatment": "lora", "control": "shared_base"},
        }

    @property
    def _base(self) -> Base:
        return self.ground.base

    @cached_property
    def _splits(self) -> list[SplitUser]:
        people = self.ground.people
        return [people.splits[user] for user in everyone(people)]

    def _jobs(self, recipe: Recipe) -> dict[str, Job]:
        block = AdaptersBlock(
            rank=recipe.rank,
            targets=recipe.targets,
            first_layer=recipe.first_layer,
            rendering=self.setting.rendering,
            epochs=self.setting.epochs,
        )
        return personal_jobs(self._base, authors(self.ground.people), block, "individuality")

    def _store(self, recipe: Recipe) -> AdapterStore:
        """Each trainer its own: what both make goes by the same training key."""
        return AdapterStore(self.folder / recipe.trainer.lower())

    def _revisions(self, recipe: Recipe, store: AdapterStore) -> dict[str, str]:
        found = {user: store.find(job.key) for user, job in self._jobs(recipe).items()}
        return {user: revision for user, revision in found.items() if revision is not None}

    def _score_file(self, recipe: Recipe, store: AdapterStore) -> Path:
        what = [*asdict(self.setting).values(), *self._revisions(recipe, store).values()]
        digest = hashlib.sha256("\n".join(map(str, what)).encode()).hexdigest()[:16]
        return self.folder / "scores" / f"{digest}.parquet"

    def _train(self, recipe: Recipe, jobs: Mapping[str, Job], store: AdapterStore) -> None:
        if recipe.trainer == "stacked":
            obtain(self._base, jobs, store, Silent(), self.folder / "training")
            return
        for user, job in jobs.items():
            (plan,) = plan_users({job.name: job.rows}, job.config, vocabulary=self._base.vocabulary)
            adapter = PeftTrainer(self._base, job.config).train(plan)
            manifest = Manifest(
                base_name=self._base.name,
                base_fingerprint=self._base.fingerprint,
                spec=job.key.spec,
                kind=job.kind,
                recipe=job.key.recipe,
                data_hash=job.key.data_hash,
                seed=job.key.seed,
            )
            store.publish(adapter, manifest, name=job.name, person=user)

    def _score(self, recipe: Recipe, store: AdapterStore) -> None:
        engine = LocalEngine(self._base, AdaptersFor(self._base, store))
        try:
            scores = score_held_out(
                engine,
                self._base,
                self._splits,
                self._revisions(recipe, store),
                rendering=self.setting.rendering,
                held_out=self.setting.held_out,
                calibration=self.setting.calibration,
                watcher=Silent(),
            )
        finally:
            engine.close()
        _write(scores, self._score_file(recipe, store))


def _write(scores: HeldOutScores, file: Path) -> None:
    rows = pd.concat([scores.owner, scores.tokens, scores.calibration], axis=1)
    write_frame(rows.join(scores.nll.add_prefix(_ADAPTER)), file)


def _read(file: Path) -> HeldOutScores:
    frame = pd.read_parquet(file)
    nll = frame.filter(regex=f"^{_ADAPTER}").rename(columns=lambda name: name.removeprefix(_ADAPTER))
    return HeldOutScores(nll, frame["owner"], frame["tokens"], frame["calibration"])
