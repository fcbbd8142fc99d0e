from __future__ import annotations

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from metrics.errors import EmbeddingError
from metrics.text import embeddings
from metrics.text.embeddings import DIMENSIONS, PACKAGE, load_minilm

TEXTS = ["The cat sat on the mat.", "A kitten was sitting on a rug.", "Stocks fell on Monday.", "", "💚"]

# SHA-256 of model.safetensors as published with sentence-transformers/all-MiniLM-L6-v2
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return load_minilm().embed(TEXTS)


def test_packaged_weights_are_the_published_ones() -> None:
    weights = files(PACKAGE).joinpath("model", "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == WEIGHTS


def test_rows_are_unit_vectors_in_the_order_of_the_texts(vectors: np.ndarray) -> None:
    assert vectors.shape == (5, DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    backwards = load_minilm().embed(TEXTS[::-1])
    assert np.abs(backwards[::-1] - vectors).max() < 1e-6


def test_likeness_of_meaning_is_likeness_of_vectors(vectors: np.ndarray) -> None:
    assert vectors[0] @ vectors[1] > 0.5
    assert vectors[0] @ vectors[2] < 0.2


def test_same_texts_give_the_same_bits_and_copies_one_vector(vectors: np.ndarray) -> None:
    assert np.array_equal(load_minilm().embed(TEXTS), vectors)
    twice = load_minilm().embed([*TEXTS, *TEXTS])
    assert np.array_equal(twice[:5], twice[5:])


def test_vectors_are_those_of_sentence_transformers(vectors: np.ndarray) -> None:
    """The reference implementation, loading the same folder through its own modules.json."""
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(files(PACKAGE).joinpath("model")), device="cpu")
    long = " ".join(["word"] * 600)  # cut at 256 pieces by both
    expected = reference.encode([*TEXTS, long], show_progress_bar=False)
    assert np.abs(load_minilm().embed([*TEXTS, long]) - expected).max() < 1e-5


def test_no_texts_give_no_rows() -> None:
    assert load_minilm().embed([]).shape == (0, DIMENSIONS)


def test_missing_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "PACKAGE", "no_such_package_here")
    with pytest.raises(EmbeddingError, match=r"no-such-package-here.*pip install 'plures\[embeddings\]'"):
        embeddings._model_folder()
