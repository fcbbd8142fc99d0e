"""Training rows, and which of them each user sees at which step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.errors import TrainingError
from adapters.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class Example:
    """One row of training text.

    Args:
        tokens: at least two.
        learn_from: tokens[learn_from:] carry the loss, the ones before are context; 0 to len(tokens) − 1.
            The very first token follows nothing and is never learned.
    """

    tokens: tuple[int, ...]
    learn_from: int

    @property
    def first_learned(self) -> int:
        """Index of the first token that carries the loss."""
        return max(1, self.learn_from)

    @property
    def inputs(self) -> tuple[int, ...]:
        """What the model reads: all but the last token, which nothing is predicted from."""
        return self.tokens[:-1]

    @property
    def targets(self) -> tuple[int, ...]:
        """The learned tokens."""
        return self.tokens[self.first_learned :]


@dataclass(frozen=True, slots=True)
class UserPlan:
    """All that training one user needs, decided before the first step.

    Args:
        user: name.
        steps: rows of each optimizer step, over all epochs.
        skipped_rows: rows longer than `max_tokens`, left out.
        init_seed: of the generator that draws the adapter's start.
    """

    user: str
    steps: tuple[tuple[Example, ...], ...]
    skipped_rows: int
    init_seed: int

    @property
    def distinct_rows(self) -> tuple[Example, ...]:
        """Every row once, in the order of the first epoch."""
        return tuple(dict.fromkeys(row for step in self.steps for row in step))


def plan_users(
    data: Mapping[str, Sequence[Example]], config: TrainConfig, *, vocabulary: int
) -> list[UserPlan]:
    """Check all rows and fix each user's order, which depends on seed and name only.

    Returns:
        Plans, those with most steps first, so that users trained at once end at about the same time.

    Raises:
        TrainingError: no users, or a user without rows, with only too long rows, or with an impossible
            row; the message names the user.
    """
    if not data:
        raise TrainingError("no users to train; expected at least one")
    plans = [_plan(user, rows, config, vocabulary) for user, rows in data.items()]
    return sorted(plans, key=lambda plan: (-len(plan.steps), plan.user))


def data_fingerprint(rows: Sequence[Example]) -> str:
    """SHA-256 (hex) over the rows of one user, in order."""
    sha = hashlib.sha256()
    for row in rows:
        sha.update(np.array([len(row.tokens), row.learn_from, *row.tokens], dtype="<i8").tobytes())
    return sha.hexdigest()


def _plan(user: str, rows: Sequence[Example], config: TrainConfig, vocabulary: int) -> UserPlan:
    if not rows:
        raise TrainingError(f"user {user!r}: no training rows; expected at least one")
    for i, row in enumerate(rows):
        _check_row(f"user {user!r}, row {i}", row, vocabulary)
    kept = [row for row in rows if len(row.tokens) <= config.max_tokens]
    if not kept:
        raise TrainingError(
            f"user {user!r}: all {len(rows)} rows are longer than max_tokens={config.max_tokens} "
            f"(the shortest has {min(len(row.tokens) for row in rows)}); raise max_tokens or leave the user out"
        )
    order_seed, init_seed = _user_seeds(config.seed, user)
    order = np.random.default_rng(order_seed)
    steps: list[tuple[Example, ...]] = []
    for _ in range(config.epochs):
        shuffled = [kept[i] for i in order.permutation(len(kept))]
        size = config.rows_per_step
        steps.extend(tuple(shuffled[i : i + size]) for i in range(0, len(shuffled), size))
    # 63 bits, since torch takes a signed seed.
    seed = int(init_seed.generate_state(1, np.uint64)[0] >> np.uint64(1))
    return UserPlan(user, tuple(steps), skipped_rows=len(rows) - len(kept), init_seed=seed)


def _user_seeds(seed: int, user: str) -> list[np.random.SeedSequence]:
    name = np.frombuffer(hashlib.sha256(user.encode()).digest(), dtype="<u4")
    return np.random.SeedSequence([seed, *name.tolist()]).spawn(2)


def _check_row(where: str, row: Example, vocabulary: int) -> None:
    if len(row.tokens) < 2:
        raise TrainingError(
            f"{where}: has {len(row.tokens)} tokens; expected at least 2, one to learn from one"
        )
    if not 0 <= row.learn_from < len(row.tokens):
        raise TrainingError(
            f"{where}: learn_from is {row.learn_from}; expected 0 to {len(row.tokens) - 1}, "
            f"so that at least one of its {len(row.tokens)} tokens is learned"
        )
    if not 0 <= min(row.tokens) <= max(row.tokens) < vocabulary:
        raise TrainingError(
            f"{where}: token ids from {min(row.tokens)} to {max(row.tokens)}; expected 0 to {vocabulary - 1}. "
            f"Encode the row with the base's own tokenizer."
        )
