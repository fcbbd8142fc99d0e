"""One adapter revision: where it comes from, how its training went, what became of it, what was seen of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from adapters.store.catalog import evidence, states
from adapters.store.layout import StoreLayout
from adapters.store.revision_files import RevisionFiles
from sim.training_curves import curves_with
from sim.views.adapters import catalog_of, when

EVIDENCE_FACTS = ("at", "kind", "run", "condition", "seed", "renderer", "scorer", "serving_path")


class TrainingCurve(NamedTuple):
    """How the loss of an adapter fell, beside those trained with it.

    Args:
        own: columns step (optimizer step, from 1), loss (nats per learned token).
        others: columns step, low, median, high: middle four fifths of all adapters of the training, itself included.
        adapters: trained together.
    """

    own: pd.DataFrame
    others: pd.DataFrame
    adapters: int


def provenance(store: Path, revision: str) -> pd.DataFrame:
    """All that the proved manifest of a revision says, with its place; columns what, value.

    Raises:
        UnknownAdapterError: no such revision.
        CorruptAdapterError: damaged files.
    """
    layout, catalog = StoreLayout(store), catalog_of(store)
    files = RevisionFiles(layout, catalog)
    row, record = files.row(revision), files.record(revision)
    place = row.pack or str(layout.folder(revision).relative_to(layout.root))
    facts: dict[str, Any] = {
        "revision": revision,
        "state": row.state,
        "place": place,
        "bytes": row.size,
        "parameters": row.shape.parameters,
        "dtype": row.shape.dtype,
        "tensors (SHA-256)": record.tensors,
        **_flat(record.manifest.as_dict()),
    }
    return pd.DataFrame([(key, _shown(value)) for key, value in facts.items()], columns=["what", "value"])


def trainings_of(store: Path) -> Path:
    """The folder in which a store keeps training curves, there or not."""
    return StoreLayout(store).trainings


def training_curve(trainings: Path, revision: str) -> TrainingCurve:
    """The loss at each step of the training that gave a revision.

    Args:
        trainings: of `trainings_of`.
        revision: full id.

    Returns:
        Empty frames when the training was not kept, as with imported adapters.
    """
    curves = curves_with(trainings, revision)
    by_step = curves.groupby("step")["loss"]
    others = pd.DataFrame(
        {"low": by_step.quantile(0.1), "median": by_step.median(), "high": by_step.quantile(0.9)}
    ).reset_index()
    own = curves.loc[curves["revision"] == revision, ["step", "loss"]].reset_index(drop=True)
    return TrainingCurve(own, others, curves["revision"].nunique())


def states_log(store: Path, revision: str) -> pd.DataFrame:
    """Every change of a revision's serving state, the oldest first; columns at, from, to, reason, record."""
    with catalog_of(store).reading() as db:
        log = states.transitions(db, revision)
    return pd.DataFrame(
        [(when(t.at), t.source, t.target, t.reason, t.record or "") for t in log],
        columns=["at", "from", "to", "reason", "record"],
    )


def evidence_of(store: Path, revision: str) -> pd.DataFrame:
    """Rollouts and evaluations of a revision, the oldest first: the columns of `EVIDENCE_FACTS`, then its numbers."""
    with catalog_of(store).reading() as db:
        seen = evidence.entries(db, revision)
    frame = pd.DataFrame(
        [{**{key: getattr(one, key) for key in EVIDENCE_FACTS}, **one.metrics} for one in seen],
        columns=[*EVIDENCE_FACTS, *sorted({name for one in seen for name in one.metrics})],
    )
    return frame.assign(at=frame["at"].map(when))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value or "–"
    return "–" if value is None else json.dumps(value)
