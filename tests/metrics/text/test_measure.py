from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metrics.errors import MetricInputError
from metrics.text.catalogue import TEXT_MEASURES
from metrics.text.copying import Originals
from metrics.text.diversity import distinct_n
from metrics.text.measure import (
    copying_values,
    diversity_values,
    meaning_values,
    surface_values,
    text_distances,
)

DOCS = Path(__file__).parents[3] / "docs" / "text.md"


class _Letters:
    """Embeds a text as the counts of its letters."""

    def embed(self, texts: list[str]) -> np.ndarray:
        counts = np.array([[text.count(c) + 1e-9 for c in "abcdefgh"] for text in texts]).reshape(-1, 8)
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


def _said(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["author", "text"])


def test_surface_values_are_means_over_texts() -> None:
    values = surface_values(_said(("x", "#a b"), ("x", "#a b"), ("y", "c"), ("y", "@d e f g")))
    assert values["texts"] == 4
    assert values["writers"] == 2
    assert values["words_per_text"] == pytest.approx((2 + 2 + 1 + 4) / 4)
    assert values["hashtag_share"] == 0.5
    assert values["mention_share"] == 0.25
    assert values["repeats_self_share"] == 0.25
    assert np.isnan(values["type_token_ratio"])  # nobody wrote 50 words


def test_diversity_compares_equal_amounts() -> None:
    """Many texts drawn from the same lines as few are as diverse; unequal sets would say otherwise."""
    rng = np.random.default_rng(0)
    lines = [" ".join(rng.choice(list("abcdefgh"), 6)) for _ in range(400)]
    found = diversity_values({"few": lines[:100], "many": lines, "none": []}, rng=rng, embedder=_Letters())
    assert distinct_n(lines, 2) < 0.5 * distinct_n(lines[:100], 2)
    for metric in ("distinct_2", "self_bleu", "compression_ratio", "vendi_score"):
        assert found["few"][metric] == pytest.approx(found["many"][metric], rel=0.1)
        assert np.isnan(found["none"][metric])
    assert "vendi_score" not in diversity_values({"few": lines[:5]}, rng=rng)["few"]


def test_copying_values_are_named_by_their_source() -> None:
    originals = Originals(["a b c d"])
    found = copying_values(["a b c d", "x y"], [originals, originals], "feed")
    assert found == {"feed_exact_share": 0.5, "feed_near_share": 0.5, "feed_run": 0.5}


def test_distances_tell_own_from_others() -> None:
    said = pd.DataFrame({"author": ["x", "x", "x", "y"], "step": [1, 2, 3, 1]})
    embedder = _Letters()
    found = text_distances(said, embedder.embed(["a", "a", "b", "b"]), embedder.embed(["a", "b"]), ["x", "y"])
    assert found["own"].tolist() == pytest.approx([0, 0, 1, 0], abs=1e-6)
    assert found["relative"].tolist() == pytest.approx([-1, -1, 1, -1], abs=1e-6)
    assert found["first"].tolist() == pytest.approx([np.nan, np.nan, 1, np.nan], nan_ok=True, abs=1e-6)
    with pytest.raises(MetricInputError, match="vectors: got 1"):
        text_distances(said, embedder.embed(["a"]), embedder.embed(["a", "b"]), ["x", "y"])


def test_nobody_who_wrote_gives_nan() -> None:
    nothing = _said()
    values = surface_values(nothing) | copying_values([], [], "feed") | meaning_values(np.zeros((0, 8)), [])
    values |= diversity_values({"none": []}, rng=np.random.default_rng(0), embedder=_Letters())["none"]
    assert values.pop("texts") == values.pop("writers") == 0
    assert np.isnan(list(values.values())).all()
    empty = text_distances(nothing.assign(step=[]), np.zeros((0, 8)), np.eye(8)[:2], ["x", "y"])
    assert empty.empty


def test_every_value_is_in_the_catalogue_and_within_its_range() -> None:
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(list("abcdefgh"), 8)) for _ in range(60)]
    authors = [f"u{i % 4}" for i in range(60)]
    values = surface_values(pd.DataFrame({"author": authors, "text": texts}))
    values |= copying_values(texts, [Originals(texts[:3])] * 60, "training")
    values |= copying_values(texts, [Originals(texts[:3])] * 60, "feed")
    values |= meaning_values(_Letters().embed(texts), authors)
    values |= diversity_values({"all": texts}, rng=rng, embedder=_Letters())["all"]
    for metric, value in values.items():
        assert TEXT_MEASURES[metric].low <= value <= TEXT_MEASURES[metric].high


def test_every_measure_is_defined_on_its_page() -> None:
    page = DOCS.read_text("utf-8")
    missing = [m.id for m in TEXT_MEASURES.values() if f"`{m.id}`" not in page or m.definition not in page]
    assert not missing
