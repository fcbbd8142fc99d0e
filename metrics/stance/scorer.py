"""A fitted classifier as a stance of texts: plain arrays, no code inside."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metrics.errors import StanceError
from metrics.stance.features import ANALYSERS, Terms, masked
from metrics.stance.held_out import HeldOut

_FORMAT = 1


class TextScorer(Protocol):
    """Anything that gives texts a stance between two sides."""

    @property
    def positive_side(self) -> str:
        """The side whose texts score above 0."""
        ...

    @property
    def negative_side(self) -> str:
        """The side whose texts score below 0."""
        ...

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Stance of each text in [−1, 1]."""
        ...


@dataclass(frozen=True, eq=False)
class StanceScorer:
    """score = 2p − 1, with p the calibrated probability that a text was written by the positive side.

    1: certainly the positive side's words; 0: no telling; negative: the other side's. Linear in TF-IDF
    without an intercept, so a text without any known term scores exactly 0, and exchanging the sides
    changes only the sign. It measures resemblance to how a side writes, not reasoned agreement.

    Args:
        positive_side: label above 0.
        negative_side: label below 0.
        terms: known terms, one `Terms` for each analyser.
        coefficients: one [len(names)] array for each of `terms`.
        slope: calibration; logit = slope × (vector · coefficients), > 0.
        held_out: how well the same recipe did on users it had not seen. Always show it with results.

    Source: ours (REFERENCE: stance scorers of arXiv 2606.02437 are not printed); calibration by one slope is
    temperature scaling (Guo et al. 2017).
    """

    positive_side: str
    negative_side: str
    terms: tuple[Terms, ...]
    coefficients: tuple[NDArray[np.float64], ...]
    slope: float
    held_out: HeldOut

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Stance of each text in [−1, 1]; no texts give an empty array."""
        if not len(texts):
            return np.zeros(0)
        clean = [masked(text) for text in texts]
        logits = np.zeros(len(clean))
        for terms, weights in zip(self.terms, self.coefficients, strict=True):
            logits += terms.vectors(clean) @ weights
        return np.tanh(0.5 * self.slope * logits)

    @property
    def summary(self) -> str:
        """Sides and held-out record in one line."""
        return f"{self.negative_side} (−1) to {self.positive_side} (+1); {self.held_out.summary}"

    def strongest_terms(self, k: int = 20) -> dict[str, list[str]]:
        """The `k` words or pairs of words that pull most towards each side, strongest first."""
        words = next(i for i, t in enumerate(self.terms) if t.analyser == "words")
        order = np.argsort(self.coefficients[words], kind="stable")
        names = self.terms[words].names
        return {
            self.positive_side: [names[i] for i in order[::-1][:k] if self.coefficients[words][i] > 0],
            self.negative_side: [names[i] for i in order[:k] if self.coefficients[words][i] < 0],
        }

    def to_bytes(self) -> bytes:
        """The scorer as an uncompressed npz archive of numbers and UTF-8 JSON; nothing in it can run."""
        head = {
            "format": _FORMAT,
            "positive_side": self.positive_side,
            "negative_side": self.negative_side,
            "slope": self.slope,
            "held_out": asdict(self.held_out),
            "terms": [{"analyser": t.analyser, "names": t.names} for t in self.terms],
        }
        arrays: dict[str, NDArray[Any]] = {
            "head": np.frombuffer(json.dumps(head, ensure_ascii=False).encode(), dtype=np.uint8)
        }
        for i, (terms, weights) in enumerate(zip(self.terms, self.coefficients, strict=True)):
            arrays |= {f"idf{i}": terms.idf, f"coefficients{i}": weights}
        archive = io.BytesIO()
        np.savez(archive, **arrays)  # type: ignore[arg-type]  # numpy 2 declares a further bool keyword
        return archive.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> StanceScorer:
        """Read what `to_bytes` wrote; scores come back bit for bit.

        Raises:
            StanceError: bytes that are no such archive, or one of another format.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                head = json.loads(arrays["head"].tobytes().decode())
                if head["format"] != _FORMAT:
                    raise StanceError(
                        f"stance scorer: format {head['format']}; expected {_FORMAT}. Fit it again"
                    )
                terms = tuple(
                    Terms(_analyser(t["analyser"]), tuple(t["names"]), arrays[f"idf{i}"])
                    for i, t in enumerate(head["terms"])
                )
                weights = tuple(arrays[f"coefficients{i}"] for i in range(len(terms)))
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
            if isinstance(error, StanceError):
                raise
            raise StanceError(
                f"stance scorer: not readable ({error}). Fit it again from its corpus"
            ) from error
        return cls(
            head["positive_side"],
            head["negative_side"],
            terms,
            weights,
            head["slope"],
            HeldOut(**head["held_out"]),
        )


def _analyser(name: str) -> str:
    if name not in ANALYSERS:
        raise StanceError(f"stance scorer: analyser {name!r}; expected one of {', '.join(ANALYSERS)}")
    return name
