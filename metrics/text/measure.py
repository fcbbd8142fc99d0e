"""The measures of one society's texts, named as in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.errors import MetricInputError
from metrics.text.copying import Originals, copied
from metrics.text.diversity import compression_ratio, distinct_n, equal_amounts, self_bleu
from metrics.text.drift import Vectors, first_distances, reference_distances
from metrics.text.embedding_diversity import mean_cosine_distance, spread, vendi_score
from metrics.text.embeddings import Embedder
from metrics.text.surface import repeats, surface, type_token_ratio

DRAWS = 10
LEAST_WORDS, MOST_WORDS = 200, 20_000
DISTANCES = ("own", "relative", "first")

Values = dict[str, float]


def surface_values(said: pd.DataFrame) -> Values:
    """Amount, marks, loops and repeats.

    Args:
        said: columns `author`, `text`; a row a text, in order of time.

    Returns:
        The groups `amount` and `surface` of the catalogue, and `type_token_ratio`.
    """
    texts = said["text"].tolist()
    marks = surface(texts).mean()
    again = repeats(texts, said["author"].tolist()).mean()
    ratios = [type_token_ratio(own.tolist()) for _, own in said.groupby("author", sort=False)["text"]]
    known = [ratio for ratio in ratios if not np.isnan(ratio)]
    return {
        "texts": float(len(texts)),
        "writers": float(said["author"].nunique()),
        "type_token_ratio": float(np.mean(known)) if known else float("nan"),
        "words_per_text": float(marks["words"]),
        **{
            f"{mark}_share": float(marks[mark]) for mark in ("hashtag", "mention", "link", "emoji", "looping")
        },
        **{f"repeats_{whom}_share": float(again[whom]) for whom in ("self", "others")},
    }


def copying_values(texts: Sequence[str], originals: Sequence[Originals], source: str) -> Values:
    """How much is copied.

    Args:
        texts: [n].
        originals: [n]; what each text may have been copied from.
        source: `training` or `feed`, the beginning of the names.
    """
    found = copied(texts, originals)
    return {
        f"{source}_exact_share": float(found["exact"].mean()),
        f"{source}_near_share": float(found["near"].mean()),
        f"{source}_run": float(found["run"].mean()),
    }


def diversity_values(
    sets: Mapping[str, Sequence[str]], *, rng: np.random.Generator, embedder: Embedder | None = None
) -> dict[str, Values]:
    """Diversity of several sets of texts, each cut at random to the amount of the smallest.

    A set of fewer than `LEAST_WORDS` words says too little: it has no values, and the others are not cut to it.

    Args:
        sets: name → texts.
        rng: draws the amounts, `DRAWS` times; values are means over draws.
        embedder: for the Vendi score, which also takes equal numbers of texts; None leaves it out.

    Returns:
        Name → `distinct_1`, `distinct_2`, `self_bleu`, `compression_ratio` and, with an embedder, `vendi_score`.
    """
    drawn: dict[str, list[Values]] = {name: [] for name in sets}
    for _ in range(DRAWS):
        equal = equal_amounts(sets, rng=rng, least_words=LEAST_WORDS, most_words=MOST_WORDS)
        fewest = min((len(texts) for texts in equal.values() if texts), default=0)
        for name, texts in equal.items():
            values = {
                "distinct_1": distinct_n(texts, 1),
                "distinct_2": distinct_n(texts, 2),
                "self_bleu": self_bleu(texts),
                "compression_ratio": compression_ratio(texts),
            }
            if embedder is not None:
                values["vendi_score"] = vendi_score(embedder.embed(texts[:fewest]))
            drawn[name].append(values)
    return {
        name: {key: float(np.mean([v[key] for v in draws])) for key in draws[0]}
        for name, draws in drawn.items()
    }


def meaning_values(vectors: NDArray[np.floating], author: Sequence[str]) -> Values:
    """How far texts lie apart in meaning, overall, within people and between them."""
    found = spread(vectors, author)
    return {
        "embedding_distance": mean_cosine_distance(vectors),
        "distance_within": found.within,
        "distance_between": found.between,
        "separation": found.separation,
    }


def text_distances(
    said: pd.DataFrame, vectors: Vectors, reference: Vectors, reference_author: Sequence[str]
) -> pd.DataFrame:
    """Each text's distance from its author's real posts and first texts.

    Args:
        said: columns `author`, `step`; a row a text.
        vectors: [texts, d], rows of length 1.
        reference: [real posts, d].
        reference_author: [real posts].

    Returns:
        A row a text: `author`, `step`, `own`, `relative` (own minus that from others' posts), `first` (NaN for
        the first texts themselves).
    """
    if len(said) != vectors.shape[0]:
        raise MetricInputError(f"vectors: got {vectors.shape[0]}; expected one for each of {len(said)} texts")
    found = reference_distances(vectors, said["author"].to_numpy(), reference, reference_author)
    return pd.DataFrame(
        {
            "author": said["author"].to_numpy(),
            "step": said["step"].to_numpy(),
            "own": found.own,
            "relative": found.own - found.others,
            "first": first_distances(vectors, said["author"].to_numpy(), said["step"].to_numpy()),
        }
    )
