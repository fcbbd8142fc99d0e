"""What is to be trained: people's posts as rows, under settings, with a key that finds the result again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.bases.loader import Base
from adapters.store import Kind, TrainingKey
from adapters.training.config import SPEED_ONLY, TrainConfig
from adapters.training.data import Example
from agents.rendering import render_post
from sim.scenario import AdaptersBlock

_UNSAFE = re.compile(r"[^a-z0-9_-]+")
_IN_THE_KEY_ITSELF = {"spec", "seed"}


@dataclass(frozen=True, slots=True)
class Author:
    """Who an adapter is trained on: the prompt's view of a person, and the training posts."""

    user_id: str
    handle: str
    persona: str
    posts: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One adapter to be had.

    Args:
        name: in the store; with the seed it decides the start of A and the order of rows.
        kind: personal or pooled.
        rows: rendered posts.
        config: of the training.
        key: under which the store finds the result again.
    """

    name: str
    kind: Kind
    rows: tuple[Example, ...]
    config: TrainConfig
    key: TrainingKey


def personal_jobs(
    base: Base, authors: Sequence[Author], block: AdaptersBlock, community: str
) -> dict[str, Job]:
    """User id → the job of that person's own adapter."""
    config = _config(block)
    return {
        a.user_id: _job(
            base, store_name(community, a.user_id), "personal", _rows(base, a, block), config, block
        )
        for a in authors
    }


def pooled_job(base: Base, authors: Sequence[Author], block: AdaptersBlock, community: str) -> Job:
    """One adapter for all (`one_for_all`): the same rank and number of optimizer steps, every person's posts.

    Each step takes as many rows as a step of all personal adapters together, so the pooled adapter sees the
    tokens that they see, in as many steps as one of them takes. Definition: ours.
    """
    rows = [_rows(base, a, block) for a in authors]
    mixed = tuple(row for round_of_posts in zip(*rows, strict=True) for row in round_of_posts)
    config = _config(block, people=len(authors))
    return _job(base, store_name(community, f"pooled-{len(authors)}"), "pooled", mixed, config, block)


def store_name(community: str, user_id: str) -> str:
    """A store name that shows whom it belongs to; where letters had to be replaced, a hash tells names apart."""
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


def _config(block: AdaptersBlock, people: int = 1) -> TrainConfig:
    """Settings for adapters that learn from `people` persons each."""
    return TrainConfig(
        spec=block.spec,
        epochs=block.epochs,
        rows_per_step=block.rows_per_step * people,
        learning_rate=block.learning_rate,
        max_tokens=block.max_tokens,
        seed=block.seed,
        tokens_per_pass=block.tokens_per_pass,
        checkpoint_activations=block.checkpoint_activations,
        cache_gib=block.cache_gib,
    )


def _job(
    base: Base,
    name: str,
    kind: Kind,
    rows: tuple[Example, ...],
    config: TrainConfig,
    block: AdaptersBlock,
) -> Job:
    data = hashlib.sha256(name.encode())
    for row in rows:
        data.update(json.dumps([row.learn_from, *row.tokens]).encode())
    settings = config.as_dict().items()
    recipe: Mapping[str, Any] = {k: v for k, v in settings if k not in SPEED_ONLY | _IN_THE_KEY_ITSELF}
    key = TrainingKey(
        base_fingerprint=base.fingerprint,
        spec=config.spec,
        recipe={"rendering": block.rendering, **recipe},
        data_hash=data.hexdigest(),
        seed=config.seed,
    )
    return Job(name, kind, rows, config, key)
