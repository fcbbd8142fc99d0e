"""Adapters on demand: found in the store, or trained now, many at once, and published."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from adapters.bases.loader import Base
from adapters.lora.adapter import Adapter
from adapters.lora.zero import zero_adapter
from adapters.store import AdapterStore, Manifest, Publication
from adapters.store.catalog.shape import shape_of
from adapters.training.trainer import Progress, TrainedAdapter, train_adapters
from sim.progress import Watcher
from sim.scenario import AdaptersBlock
from sim.training_curves import keep_curves
from sim.training_jobs import Job


def obtain(
    base: Base, jobs: Mapping[str, Job], store: AdapterStore, watcher: Watcher, checkpoints: Path
) -> dict[str, str]:
    """The revision of every job.

    Args:
        base: under the adapters.
        jobs: any key → job; all of one kind and config.
        store: searched first, published to.
        watcher: told of training.
        checkpoints: folder in which each training keeps its own, from which it goes on when it was
            interrupted; they are removed once the adapters are in the store.

    Returns:
        The same keys → revision.
    """
    found = {key: store.find(job.key) for key, job in jobs.items()}
    missing = {key: job for key, job in jobs.items() if found[key] is None}
    trained = _train(base, missing, store, watcher, checkpoints) if missing else {}
    return {key: revision or trained[key] for key, revision in found.items()}


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
    adapter = zero_adapter(base.skeleton, block.spec)
    name = store.fitting_name("zero", base.fingerprint, shape_of(adapter))
    return store.publish(adapter, manifest, name=name)


def _train(
    base: Base, jobs: Mapping[str, Job], store: AdapterStore, watcher: Watcher, checkpoints: Path
) -> dict[str, str]:
    first = next(iter(jobs.values()))
    task = f"training {len(jobs)} {first.kind} adapter{'s' if len(jobs) > 1 else ''}"
    watcher.begin(task, first.config.epochs * sum(len(job.rows) for job in jobs.values()))

    def on_progress(progress: Progress) -> None:
        watcher.advance(task, progress.rows_done, f"loss {progress.loss:.3f}")

    folder = checkpoints / _training_id(jobs)
    results = train_adapters(
        base,
        {job.name: job.rows for job in jobs.values()},
        first.config,
        checkpoint_dir=folder,
        on_progress=on_progress,
    )
    items = [
        _publication(
            store, results[job.name].adapter, _manifest(base, job, results[job.name]), job, person=key
        )
        for key, job in jobs.items()
    ]
    revisions = store.publish_many(items)
    losses = {
        revision: results[job.name].losses for job, revision in zip(jobs.values(), revisions, strict=True)
    }
    keep_curves(store.layout.trainings, _training_id(jobs), losses)
    shutil.rmtree(folder)
    return dict(zip(jobs, revisions, strict=True))


def _publication(
    store: AdapterStore, adapter: Adapter, manifest: Manifest, job: Job, *, person: str
) -> Publication:
    """Under the job's name; a training on another base or of another rank begins a record of its own."""
    name = store.fitting_name(job.name, manifest.base_fingerprint, shape_of(adapter))
    return Publication(adapter, manifest, name, person if job.kind == "personal" else "")


def _training_id(jobs: Mapping[str, Job]) -> str:
    """Sixteen digits that differ between trainings of different jobs."""
    return hashlib.sha256("".join(job.key.digest() for job in jobs.values()).encode()).hexdigest()[:16]


def _manifest(base: Base, job: Job, result: TrainedAdapter) -> Manifest:
    return Manifest(
        base_name=base.name,
        base_fingerprint=base.fingerprint,
        spec=job.key.spec,
        kind=job.kind,
        recipe=job.key.recipe,
        data_hash=job.key.data_hash,
        seed=job.key.seed,
        metrics={
            "first_loss": result.losses[0],
            "last_loss": result.losses[-1],
            "tokens": result.tokens,
            "skipped_rows": result.skipped_rows,
        },
    )
