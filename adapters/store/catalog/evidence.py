"""Rollouts and evaluations: which revision was run or scored, how it was asked, and what came out.

Append-only: a score is only worth what is known about its making, so no entry is ever changed or removed, and a
revision that one names is never collected. Source: MinT, arXiv 2605.13779; every score names revision, base,
targets, prompt renderer, scorer and serving path. Base and targets are facts of the revision and read from it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from adapters.errors import UnknownAdapterError
from adapters.store.catalog.queries import metric_number, revision_number, split_targets
from adapters.store.drafts import utc_now

if TYPE_CHECKING:
    from adapters.store.catalog.file import Catalog

EvidenceKind = Literal["rollout", "evaluation"]
"""Text that a revision produced, or a judgement of the revision."""

_KINDS = get_args(EvidenceKind)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing seen of one revision.

    Args:
        revision: full id.
        kind: rollout or evaluation.
        renderer: what made the prompt, such as `decision prompt`.
        scorer: what judged the outcome, "" for a rollout that nothing judged.
        serving_path: what ran it, such as `local engine, float32`.
        metrics: name → finite number, its unit part of the name.
        run: the run it belongs to, "" for none.
        condition: of an experiment, "" for none.
        seed: of the run, None for none.

    Raises:
        ValueError: for another kind, no renderer, no serving path, an evaluation without a scorer or metrics,
            a number that is not finite, or a seed of more than 64 bits.
    """

    revision: str
    kind: EvidenceKind
    renderer: str
    scorer: str
    serving_path: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    run: str = ""
    condition: str = ""
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind: got {self.kind!r}; expected one of {', '.join(_KINDS)}")
        for key, text in (("renderer", self.renderer), ("serving_path", self.serving_path)):
            if not text:
                raise ValueError(f"{key}: is empty; say how the revision was asked")
        if self.kind == "evaluation" and not (self.scorer and self.metrics):
            raise ValueError("scorer, metrics: an evaluation names what judged and at least one number")
        if self.seed is not None and not -(1 << 63) <= self.seed < 1 << 63:
            raise ValueError(f"seed: got {self.seed}; expected a whole number of at most 64 bits")
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise ValueError(f"metrics.{name}: got {value}; expected a finite number. Leave it out.")


class EvidenceEntry(NamedTuple):
    """An evidence as it is kept: with the base and targets of its revision, and when it came (ISO 8601, UTC)."""

    revision: str
    kind: EvidenceKind
    base_name: str
    base_fingerprint: str
    targets: tuple[str, ...]
    renderer: str
    scorer: str
    serving_path: str
    run: str
    condition: str
    seed: int | None
    at: str
    metrics: dict[str, float]


class EvidenceLog:
    """The evidence in one catalog, safe between threads and processes.

    Args:
        catalog: where it is kept.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def add(self, seen: Sequence[Evidence]) -> None:
        """Keep evidence; all of it or, when anything is wrong, none.

        Raises:
            UnknownAdapterError: a revision that the store does not hold.
            StoreError: the store cannot be written.
        """
        now = utc_now()
        with self._catalog.writing() as db:
            for one in seen:
                _append(db, one, now)

    def of(self, revision: str, kind: EvidenceKind | None = None) -> list[EvidenceEntry]:
        """What was seen of a revision (full id), the oldest first; of one kind or of both."""
        with self._catalog.reading() as db:
            return entries(db, revision, kind)


def entries(db: sqlite3.Connection, revision: str, kind: EvidenceKind | None = None) -> list[EvidenceEntry]:
    """`EvidenceLog.of` inside the caller's transaction."""
    number = revision_number(db, revision)
    scores: dict[int, dict[str, float]] = {}
    for evidence, name, value in db.execute(
        "SELECT s.evidence, m.name, s.value FROM scores s JOIN metrics m ON m.id = s.metric "
        "WHERE s.revision = ? AND s.evidence > 0 ORDER BY m.name",
        (number,),
    ):
        scores.setdefault(evidence, {})[name] = value
    query = """
        SELECT e.id, v.revision, e.kind, b.name, b.fingerprint, s.targets, e.renderer, e.scorer, e.serving_path,
               e.run, e.condition, e.seed, e.at
        FROM evidence e JOIN revisions v ON v.id = e.revision JOIN bases b ON b.id = v.base
             JOIN shapes s ON s.id = v.shape
        WHERE e.revision = ? AND (? IS NULL OR e.kind = ?) ORDER BY e.id"""
    return [
        EvidenceEntry._make((*row[:4], split_targets(row[4]), *row[5:], scores.get(number, {})))
        for number, *row in db.execute(query, (number, kind, kind))
    ]


def _append(db: sqlite3.Connection, seen: Evidence, at: str) -> None:
    revision = revision_number(db, seen.revision)
    if revision is None:
        raise UnknownAdapterError(f"{seen.revision!r}: no revision of this store; a full id is expected here")
    number = db.execute(
        "INSERT INTO evidence (revision, kind, renderer, scorer, serving_path, run, condition, seed, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            revision,
            seen.kind,
            seen.renderer,
            seen.scorer,
            seen.serving_path,
            seen.run,
            seen.condition,
            seen.seed,
            at,
        ),
    ).lastrowid
    db.executemany(
        "INSERT INTO scores VALUES (?, ?, ?, ?)",
        [(metric_number(db, name), value, revision, number) for name, value in seen.metrics.items()],
    )
