"""The kinds of scorer that need nothing but texts, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from metrics.stance.learner import Learner
from metrics.stance.lexicon import LexiconLearner
from metrics.stance.pooled import PooledLearner
from metrics.stance.tfidf import TfidfLearner
from metrics.stance.vectors import VectorLearner

TextKind = Literal["tfidf", "minilm", "lexicon", "tfidf+minilm"]
"""`tfidf`: weighted words; `minilm`: sentence embeddings; `lexicon`: a word list; `tfidf+minilm`: both, stacked."""

TEXT_KINDS: tuple[TextKind, ...] = get_args(TextKind)


def _minilm() -> Learner:
    from metrics.text.embeddings import load_minilm

    return VectorLearner(load_minilm().embed)


_MAKERS: dict[TextKind, Callable[[], Learner]] = {
    "tfidf": TfidfLearner,
    "minilm": _minilm,
    "lexicon": LexiconLearner,
    "tfidf+minilm": lambda: PooledLearner([TfidfLearner(), _minilm()]),
}


def learner(kind: TextKind) -> Learner:
    """A learner, fresh.

    Raises:
        EmbeddingError: for a kind on MiniLM when its package is not installed; says how to install it.
    """
    return _MAKERS[kind]()
