"""From people to adapters: render their posts, train what the store does not hold yet, publish."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.bases.loader import Base
from adapters.lora.layers import StackedLora
from adapters.lora.zero import zero_adapter
from adapters.store import AdapterStore, Manifest, TrainingKey
from adapters.training import Example, Progress, TrainConfig, TrainedAdapter, train_adapters
from agents.rendering import render_post
from sim.progress import Watcher
from sim.scenario import AdaptersBlock

if TYPE_CHECKING:
    from pathlib import Path

_UNSAFE = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Author:
    """Who an adapter is trained on: the prompt's view of a person, and the training posts."""

    user_id: str
    handle: str
    persona: str
    posts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One adapter to be had: its store name, its rows, and the key under which it can be found again."""

    name: str
    rows: tuple[Example, ...]
    key: TrainingKey
    recipe: Mapping[str, object]


def personal_jobs(
    base: Base, authors: Sequence[Author], block: AdaptersBlock, community: str
) -> dict[str, Job]:
    """User id → the job of that person's own adapter."""
    recipe = _recipe(block, "personal", block.rows_per_step)
    return {
        a.user_id: _job(base, store_name(community, a.user_id), _rows(base, a, block), recipe, block)
        for a in authors
    }


def pooled_job(base: Base, authors: Sequence[Author], block: AdaptersBlock, community: str) -> Job:
    """One adapter for all (`one_for_all`): the same rank and number of optimizer steps, every person's posts.

    Each step takes as many rows as a step of all personal adapters together, so the pooled adapter sees the
    same tokens as they do, and its steps are as many as one person's. Definition: ours.
    """
    rows = [_rows(base, a, block) for a in authors]
    mixed = tuple(row for posts in zip(*rows, strict=True) for row in posts)
    recipe = _recipe(block, "pooled", block.rows_per_step * len(authors))
    return _job(base, store_name(community, f"pooled-{len(authors)}"), mixed, recipe, block)


def obtain(
    base: Base,
    jobs: Mapping[str, Job],
    block: AdaptersBlock,
    store: AdapterStore,
    watcher: Watcher,
    checkpoints: Path | None = None,
) -> dict[str, str]:
    """The revision of every job, trained now where the store has none; keys as in `jobs`."""
    found = {key: store.find(job.key) for key, job in jobs.items()}
    missing = {key: job for key, job in jobs.items() if found[key] is None}
    if missing:
        for recipe in {json.dumps(dict(j.recipe), sort_keys=True) for j in missing.values()}:
            batch = {k: j for k, j in missing.items() if json.dumps(dict(j.recipe), sort_keys=True) == recipe}
            found.update(_train(base, batch, block, store, watcher, checkpoints))
    return {key: revision for key, revision in found.items() if revision is not None}


def obtain_zero(base: Base, block: AdaptersBlock, store: AdapterStore) -> str:
    """The revision of the adapter with zero delta (condition `zero`)."""
    manifest = Manifest(
        base_name=base.name,
        base_fingerprint=base.fingerprint,
        spec=block.spec,
        kind="zero",
        recipe={},
        data_hash="",
        seed=0,
    )
    stack = StackedLora.attach(base.model, block.spec, 1)
    stack.detach()
    shapes = {path: (layer.base.in_features, layer.base.out_features) for path, layer in stack.layers.items()}
    return store.publish(zero_adapter(block.spec, shapes), manifest, name="zero")


def store_name(community: str, user_id: str) -> str:
    """A store name that shows whom it belongs to; what is not `[a-z0-9_-]` is replaced and told apart by a hash."""
    parts = []
    for text in (community, user_id):
        slug = _UNSAFE.sub("-", text.lower()).strip("-_")[:24] or "x"
        parts.append(slug if slug == text else f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:6]}")
    return ".".join(parts)


def _rows(base: Base, author: Author, block: AdaptersBlock) -> tuple[Example, ...]:
    rendered = (
        render_post(
            text,
            handle=author.handle,
            persona=author.persona,
            rendering=block.rendering,
            encoder=base.encoder,
        )
        for text in author.posts
    )
    return tuple(Example(r.tokens, r.learn_from) for r in rendered)


def _recipe(block: AdaptersBlock, kind: str, rows_per_step: int) -> dict[str, object]:
    return {
        "kind": kind,
        "rendering": block.rendering,
        "epochs": block.epochs,
        "rows_per_step": rows_per_step,
        "learning_rate": block.learning_rate,
        "max_tokens": block.max_tokens,
    }


def _job(
    base: Base, name: str, rows: tuple[Example, ...], recipe: Mapping[str, object], block: AdaptersBlock
) -> Job:
    data = hashlib.sha256()
    for row in rows:
        data.update(json.dumps([row.learn_from, *row.tokens]).encode())
    key = TrainingKey(
        base_fingerprint=base.fingerprint,
        spec=block.spec,
        recipe=dict(recipe),
        data_hash=data.hexdigest(),
        seed=block.seed,
    )
    return Job(name, rows, key, recipe)


def _train(
    base: Base,
    jobs: Mapping[str, Job],
    block: AdaptersBlock,
    store: AdapterStore,
    watcher: Watcher,
    checkpoints: Path | None,
) -> dict[str, str]:
    recipe = next(iter(jobs.values())).recipe
    config = TrainConfig(
        spec=block.spec,
        epochs=block.epochs,
        rows_per_step=int(str(recipe["rows_per_step"])),
        learning_rate=block.learning_rate,
        max_tokens=block.max_tokens,
        seed=block.seed,
    )
    task = f"training {len(jobs)} {recipe['kind']} adapter{'s' if len(jobs) > 1 else ''}"
    state = {"begun": False}

    def on_progress(progress: Progress) -> None:
        if not state["begun"]:
            watcher.begin(task, progress.total_steps)
            state["begun"] = True
        watcher.advance(task, progress.step, f"loss {progress.loss:.3f}")

    by_name = {job.name: key for key, job in jobs.items()}
    trained = train_adapters(
        base,
        {job.name: job.rows for job in jobs.values()},
        config,
        checkpoint_dir=checkpoints,
        on_progress=on_progress,
    )
    items = [
        (result.adapter, _manifest(base, jobs[by_name[name]], result), name)
        for name, result in trained.items()
    ]
    revisions = store.publish_many(items)
    return {by_name[name]: revision for (_, _, name), revision in zip(items, revisions, strict=True)}


def _manifest(base: Base, job: Job, result: TrainedAdapter) -> Manifest:
    return Manifest(
        base_name=base.name,
        base_fingerprint=base.fingerprint,
        spec=job.key.spec,
        kind=str(job.recipe["kind"]),
        recipe=dict(job.recipe),
        data_hash=job.key.data_hash,
        seed=job.key.seed,
        metrics={"first_loss": float(result.losses[0]), "last_loss": float(result.losses[-1])},
    )
