"""What is known about an adapter: the base it fits, how it came about, how it was measured."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from adapters.lora.spec import LoraSpec
from adapters.store.canonical import canonical_sha256, is_sha256, plain

Kind = Literal["personal", "pooled", "zero"]
"""One person's own adapter, one trained on many people's text, or one whose update is zero."""

_KINDS = get_args(Kind)
_IDENTITY_FORMAT = 1
_LONGEST_LABEL = 512


@dataclass(frozen=True, slots=True)
class TrainingKey:
    """All that decides the outcome of a training; equal keys need no second training.

    Args:
        base_fingerprint: SHA-256 (hex) of the base's files.
        spec: rank, scale, targets and first layer.
        recipe: every training setting that matters, as plain values.
        data_hash: SHA-256 (hex) of the training examples in order.
        seed: of initialisation and order.
        parent: revision that the training started from, or None for a fresh adapter.
    """

    base_fingerprint: str
    spec: LoraSpec
    recipe: Mapping[str, Any]
    data_hash: str
    seed: int
    parent: str | None = None

    def digest(self) -> str:
        """SHA-256 (hex) that is equal for equal keys."""
        return canonical_sha256(
            {
                "base_fingerprint": self.base_fingerprint,
                "spec": _spec_values(self.spec),
                "recipe": self.recipe,
                "data_hash": self.data_hash,
                "seed": self.seed,
                "parent": self.parent,
            }
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """The provenance of one adapter.

    `identity()` says which fields are part of the revision id. The others are labels and observations: the
    name a base goes by on this machine, scores, the time, our version. The first publication's are kept.

    Args:
        base_name: how people call the base, such as `tiny-moe`; a label.
        base_fingerprint: SHA-256 (hex) of the base's files; what decides whether an adapter fits.
        spec: rank, scale, targets and first layer.
        recipe: every training setting that matters, as plain values; copied.
        data_hash: SHA-256 (hex) of the training examples in order, or "" for an adapter without data.
        seed: of initialisation and order.
        kind: personal, pooled or zero.
        parent: revision that the training started from, or None.
        metrics: name → finite number, such as the last training loss; leave out what is undefined.
        created_at: ISO 8601 in UTC; "" lets the store fill in the time of publication.
        plures_version: "" lets the store fill in the running version.

    Raises:
        ValueError: for a field of the wrong form.
    """

    base_name: str
    base_fingerprint: str
    spec: LoraSpec
    recipe: Mapping[str, Any]
    data_hash: str
    seed: int
    kind: Kind = "personal"
    parent: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    created_at: str = ""
    plures_version: str = ""

    def __post_init__(self) -> None:
        _check_sha256("base_fingerprint", self.base_fingerprint)
        if self.data_hash:
            _check_sha256("data_hash", self.data_hash)
        if self.parent is not None:
            _check_sha256("parent", self.parent)
        for key, text in (("base_name", self.base_name), ("plures_version", self.plures_version)):
            if not text.isprintable() or len(text) > _LONGEST_LABEL:
                raise ValueError(
                    f"{key}: got {text!r}; expected one line of at most {_LONGEST_LABEL} characters"
                )
        if self.created_at and datetime.fromisoformat(self.created_at).utcoffset() != timedelta(0):
            raise ValueError(f"created_at: got {self.created_at!r}; expected a time in UTC, ending in +00:00")
        if type(self.seed) is not int or not -(1 << 63) <= self.seed < 1 << 63:
            raise ValueError(f"seed: got {self.seed!r}; expected a whole number of at most 64 bits")
        if self.kind not in _KINDS:
            raise ValueError(f"kind: got {self.kind!r}; expected one of {', '.join(_KINDS)}")
        for key, value in self.metrics.items():
            if not key.isprintable() or not 1 <= len(key) <= _LONGEST_LABEL:
                raise ValueError(
                    f"metrics: got the name {key[:80]!r}; expected one line of 1 to {_LONGEST_LABEL} characters"
                )
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not abs(value) <= sys.float_info.max
            ):
                raise ValueError(
                    f"metrics.{key}: got {value!r}; expected a finite number. Leave out what is undefined."
                )
        object.__setattr__(self, "recipe", plain(self.recipe, "recipe"))
        object.__setattr__(self, "metrics", {key: float(value) for key, value in self.metrics.items()})

    @property
    def training_key(self) -> TrainingKey:
        """What a rerun of the same training would ask the store for."""
        return TrainingKey(
            self.base_fingerprint, self.spec, self.recipe, self.data_hash, self.seed, self.parent
        )

    def identity(self) -> dict[str, Any]:
        """The fields that, with the tensors, make up the revision id: what it fits and how it came about."""
        return {
            "format": _IDENTITY_FORMAT,
            "base_fingerprint": self.base_fingerprint,
            "spec": _spec_values(self.spec),
            "recipe": self.recipe,
            "data_hash": self.data_hash,
            "seed": self.seed,
            "kind": self.kind,
            "parent": self.parent,
        }

    def as_dict(self) -> dict[str, Any]:
        """All fields as plain values; `from_dict` is its inverse."""
        values = {f.name: getattr(self, f.name) for f in fields(self)} | {"spec": _spec_values(self.spec)}
        copied: dict[str, Any] = plain(values, "manifest")
        return copied

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Manifest:
        """Rebuild a manifest from `as_dict`'s values.

        Raises:
            ValueError: for missing or unknown keys, or a field of the wrong form.
        """
        _check_types("manifest", values, _FIELD_TYPES)
        spec = values["spec"]
        _check_types("spec", {"first_layer": 0, **spec}, _SPEC_TYPES)
        return cls(**{**values, "spec": LoraSpec(**{**spec, "targets": tuple(spec["targets"])})})


def manifest_differences(one: Manifest, other: Manifest) -> dict[str, tuple[Any, Any]]:
    """Field, dotted where it is nested, → the two values, for every field that differs; None where one has none."""
    left, right = _flat(one.as_dict()), _flat(other.as_dict())
    keys = [*left, *(key for key in right if key not in left)]
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


_SPEC_TYPES: dict[str, tuple[type, ...]] = {
    "rank": (int,),
    "alpha": (float, int),
    "targets": (list, tuple),
    "rslora": (bool,),
    "first_layer": (int,),
}
_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "base_name": (str,),
    "base_fingerprint": (str,),
    "spec": (dict,),
    "recipe": (dict,),
    "data_hash": (str,),
    "seed": (int,),
    "kind": (str,),
    "parent": (str, type(None)),
    "metrics": (dict,),
    "created_at": (str,),
    "plures_version": (str,),
}


def _spec_values(spec: LoraSpec) -> dict[str, Any]:
    """alpha 16 and 16.0 are the same spec, so they must be the same bytes."""
    return spec.as_dict() | {"alpha": float(spec.alpha)}


def _check_sha256(key: str, value: str) -> None:
    if not is_sha256(value):
        raise ValueError(f"{key}: got {value!r}; expected a SHA-256, 64 lower-case hex digits")


def _check_types(where: str, values: Mapping[str, Any], expected: Mapping[str, tuple[type, ...]]) -> None:
    if missing := sorted(expected.keys() - values.keys()):
        raise ValueError(f"{where}: {', '.join(missing)} missing")
    if unknown := sorted(values.keys() - expected.keys()):
        raise ValueError(f"{where}: unknown key {', '.join(unknown)}; expected {', '.join(sorted(expected))}")
    for key, types in expected.items():
        if type(values[key]) not in types:
            names = " or ".join(t.__name__ for t in types)
            raise ValueError(f"{where}.{key}: got {values[key]!r}; expected {names}")
