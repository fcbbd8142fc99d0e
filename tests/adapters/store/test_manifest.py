from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.lora.spec import LoraSpec
from adapters.store import Manifest, TrainingKey
from tests.adapters.store.samples import DATA, FINGERPRINT, SPEC, manifest
from tests.adapters.store.test_canonical import values

METRIC_NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)
manifests = st.builds(
    Manifest,
    base_name=st.sampled_from(["tiny-moe", "Qwen/Qwen3-30B-A3B", "modèle à moi"]),
    base_fingerprint=st.just(FINGERPRINT),
    spec=st.builds(
        LoraSpec,
        rank=st.integers(1, 512),
        alpha=st.floats(0.1, 64) | st.integers(1, 64),
        targets=st.sampled_from([("q_proj",), ("v_proj", "q_proj")]),
        rslora=st.booleans(),
        first_layer=st.integers(0, 99),
    ),
    recipe=st.dictionaries(st.text(), values, max_size=4),
    data_hash=st.sampled_from(["", DATA]),
    seed=st.integers(-(2**63), 2**63 - 1),
    kind=st.sampled_from(["personal", "pooled", "zero"]),
    parent=st.none() | st.just("ef" * 32),
    metrics=st.dictionaries(
        METRIC_NAMES, st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False)
    ),
    created_at=st.sampled_from(["", "2026-01-02T03:04:05.000006+00:00"]),
)


@settings(max_examples=50)
@given(manifests)
def test_a_manifest_reads_back_equal(one: Manifest) -> None:
    assert Manifest.from_dict(one.as_dict()) == one


@pytest.mark.parametrize(
    "label",
    [
        {"base_name": "other"},
        {"metrics": {"loss": 1.0}},
        {"created_at": "2026-01-02T03:04:05+00:00"},
        {"plures_version": "9"},
    ],
)
def test_labels_and_observations_are_not_identity(label: dict[str, Any]) -> None:
    assert manifest(**label).identity() == manifest().identity()
    assert manifest(**label) != manifest()


@pytest.mark.parametrize(
    "change",
    [
        {"base_fingerprint": "0" * 64},
        {"spec": replace(SPEC, alpha=5.0)},
        {"spec": replace(SPEC, first_layer=1)},
        {"recipe": {}},
        {"data_hash": ""},
        {"seed": 1},
        {"kind": "pooled"},
        {"parent": "0" * 64},
    ],
)
def test_origin_and_fit_are_identity(change: dict[str, Any]) -> None:
    assert manifest(**change).identity() != manifest().identity()


def test_every_field_is_either_identity_or_a_label() -> None:
    labels = {"base_name", "metrics", "created_at", "plures_version"}
    assert {f.name for f in fields(Manifest)} == labels | manifest().identity().keys() - {"format"}


def test_alpha_as_whole_or_broken_number_is_the_same_identity() -> None:
    one, other = (manifest(spec=replace(SPEC, alpha=alpha)) for alpha in (16, 16.0))
    assert one.identity() == other.identity()
    assert one.training_key.digest() == other.training_key.digest()


def test_a_recipe_changed_afterwards_does_not_change_the_manifest() -> None:
    recipe = {"epochs": [1, 2]}
    one = manifest(recipe=recipe)
    recipe["epochs"].append(3)
    one.as_dict()["recipe"]["epochs"].append(4)
    assert one.recipe == {"epochs": [1, 2]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"base_fingerprint": "tiny"}, "base_fingerprint"),
        ({"data_hash": "x"}, "data_hash"),
        ({"parent": "user-0007"}, "parent"),
        ({"kind": "own"}, "kind"),
        ({"seed": 1.0}, "seed"),
        ({"seed": True}, "seed"),
        ({"metrics": {"loss": float("nan")}}, "metrics.loss"),
        ({"metrics": {"loss": "low"}}, "metrics.loss"),
        ({"recipe": {"rate": float("inf")}}, "recipe.rate"),
        ({"base_name": "two\nlines"}, "base_name"),
        ({"base_name": "x" * 600}, "base_name"),
        ({"created_at": "2026-01-02T03:04:05+02:00"}, "created_at"),
        ({"created_at": "yesterday"}, "yesterday"),
    ],
)
def test_a_field_of_the_wrong_form_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        manifest(**change)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"surprise": 1}, "surprise"),
        ({"seed": None}, "seed"),
        ({"seed": True}, "seed"),
        ({"spec": None}, "spec"),
        ({"spec": {"rank": 2}}, "alpha"),
        ({"spec": SPEC.as_dict() | {"rank": 2.5}}, "spec.rank"),
        ({"spec": SPEC.as_dict() | {"rslora": 1}}, "spec.rslora"),
        ({"metrics": []}, "metrics"),
    ],
)
def test_values_of_the_wrong_form_are_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Manifest.from_dict(manifest().as_dict() | change)


def test_a_missing_key_is_named() -> None:
    kept = {key: value for key, value in manifest().as_dict().items() if key != "seed"}
    with pytest.raises(ValueError, match="seed missing"):
        Manifest.from_dict(kept)


def test_the_training_key_follows_what_decides_a_training_and_nothing_else() -> None:
    key = TrainingKey(FINGERPRINT, SPEC, {"epochs": 2, "learning_rate": 0.01}, DATA, 0)
    assert manifest().training_key.digest() == key.digest()
    assert manifest(kind="pooled", metrics={"loss": 1.0}).training_key.digest() == key.digest()
    changes: list[dict[str, Any]] = [
        {"base_fingerprint": "0" * 64},
        {"spec": replace(SPEC, rank=1)},
        {"recipe": {}},
        {"data_hash": "0" * 64},
        {"seed": 1},
        {"parent": "0" * 64},
    ]
    assert len({replace(key, **change).digest() for change in changes} | {key.digest()}) == 7
