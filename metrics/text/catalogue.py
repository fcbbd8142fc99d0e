"""What every measure of text is called and means: the table behind `plures text` and its documentation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Group = Literal["authorship", "diversity", "drift", "surface", "copying", "amount"]


@dataclass(frozen=True, slots=True)
class TextMeasure:
    """One measure.

    Args:
        id: as in the `metric` column of every result.
        label: for tables and plots.
        group: what it is about.
        low: least possible value.
        high: greatest possible value; infinity where there is none.
        higher_means: how a larger value reads.
        definition: how it is counted, in one sentence.
        nan_means: when it has no value.
        source: where the definition comes from.
        embeds: whether it needs sentence embeddings.
    """

    id: str
    label: str
    group: Group
    low: float
    high: float
    higher_means: str
    definition: str
    nan_means: str
    source: str
    embeds: bool = False


_KINDS = {
    "top1_post": (
        "first, one text",
        "share of an agent's texts whose likeliest author is {}; mean over people",
    ),
    "top5_post": (
        "among five, one text",
        "share of an agent's texts with {} among the five likeliest authors; mean over people",
    ),
    "top1_tail": (
        "first, whole tail",
        "share of people who wrote and whose texts together have {} as the likeliest author",
    ),
    "top5_tail": (
        "among five, whole tail",
        "share of people who wrote and whose texts together have {} among the five likeliest authors",
    ),
}
_SPACES = {"characters": ("characters", "TF-IDF over 2–4 characters"), "embedding": ("meaning", "MiniLM")}


def _identified(target: str, whom: str, kind: str) -> TextMeasure:
    short, definition = _KINDS[kind]
    nobody = "nobody wrote, or there is a single candidate"
    unowned = ", or adapters are nobody's, everybody's or each agent's own"
    return TextMeasure(
        f"{target}_{kind}", f"{target.capitalize()} {short}", "authorship", 0.0, 1.0,
        "texts reveal that person more often", definition.format(whom),
        nobody + (unowned if target == "owner" else ""), "Stamatatos 2009 (features); protocol ours",
    )  # fmt: skip


def _spaced(name: str, label: str, low: float, high: float, more: str, definition: str) -> list[TextMeasure]:
    return [
        TextMeasure(
            f"{name}_{space}", f"{label} ({short})", "drift", low, high, more, f"{definition}, in {vectors}",
            "too few texts", "ours", embeds=space == "embedding",
        )
        for space, (short, vectors) in _SPACES.items()
    ]  # fmt: skip


def _share(
    id_: str, label: str, group: Group, more: str, definition: str, source: str = "ours"
) -> TextMeasure:
    return TextMeasure(id_, label, group, 0.0, 1.0, more, definition, "nobody wrote", source)


def _copies(source: str, of: str) -> list[TextMeasure]:
    return [
        _share(f"{source}_exact_share", f"Exact copies of {of}", "copying", "more is copied whole",
               f"share of texts with the same words in the same order as one of {of}"),
        _share(f"{source}_near_share", f"Near copies of {of}", "copying", "more is nearly copied",
               f"share of texts whose word pairs resemble one of {of} (Jaccard ≥ 0.5; links, mentions and emoji aside)",
               "Broder 1997"),
        _share(f"{source}_run", f"Longest run from {of}", "copying", "longer verbatim passages",
               f"words of the longest run that stands in one of {of}, over the words of the text; mean"),
    ]  # fmt: skip


_EQUAL = "of equal amounts of text in all conditions"

_MEASURES: tuple[TextMeasure, ...] = (
    TextMeasure("texts", "Texts", "amount", 0.0, math.inf, "more was written",
                "posts, quotes and comments from step 1 on", "never", "ours"),
    TextMeasure("writers", "People who wrote", "amount", 0.0, math.inf, "more people wrote",
                "authors of at least one text", "never", "ours"),
    *(_identified("author", "the person whom the agent plays", kind) for kind in _KINDS),
    *(_identified("owner", "the person on whose posts the adapter was trained", kind) for kind in _KINDS),
    *(TextMeasure(f"distinct_{n}", f"Distinct-{n}", "diversity", 0.0, 1.0, "wording is more varied",
                  f"different over all {n}-grams of words, {_EQUAL}",
                  "fewer than 200 words were written", "arXiv 1510.03055")
      for n in (1, 2)),
    TextMeasure("self_bleu", "Self-BLEU", "diversity", 0.0, 1.0, "texts are more alike",
                f"mean BLEU-4 of each text against all others, {_EQUAL}",
                "fewer than 200 words were written", "arXiv 1802.01886"),
    TextMeasure("compression_ratio", "Compression ratio", "diversity", 0.0, math.inf, "more repetition",
                f"bytes over bytes after gzip, {_EQUAL}",
                "fewer than 200 words were written", "arXiv 2403.00553"),
    TextMeasure("type_token_ratio", "Type–token ratio", "diversity", 0.0, 1.0, "a person uses more words",
                "different over all words in windows of 50, averaged over people",
                "nobody wrote 50 words", "Covington & McFall 2010"),
    TextMeasure("embedding_distance", "Embedding distance", "diversity", 0.0, 2.0, "texts differ more in meaning",
                "mean cosine distance over pairs of texts", "fewer than two texts", "arXiv 2004.02990", True),
    TextMeasure("vendi_score", "Vendi score", "diversity", 1.0, math.inf, "more different meanings",
                f"effective number of different texts, {_EQUAL} and number",
                "fewer than 200 words were written",
                "arXiv 2210.02410", True),
    TextMeasure("distance_within", "Distance within people", "diversity", 0.0, 2.0,
                "a person's texts differ more in meaning", "mean cosine distance between two texts of one person",
                "nobody wrote twice", "ours", True),
    TextMeasure("distance_between", "Distance between people", "diversity", 0.0, 2.0,
                "people differ more from each other", "mean cosine distance between texts of two people",
                "fewer than two people wrote", "ours", True),
    TextMeasure("separation", "Between minus within", "diversity", -2.0, 2.0,
                "people are better told apart by meaning; 0 is homogenised", "distance between minus within people",
                "either is missing", "ours", True),
    *_spaced("distance_own", "Distance from own real posts", 0.0, 2.0, "less like the person",
             "cosine distance to the mean direction of the person's own training posts; mean over texts"),
    *_spaced("distance_relative", "Distance from own less others' posts", -2.0, 2.0,
             "less of a person; 0 is nobody in particular",
             "distance from own training posts minus the mean distance from everybody else's; mean over texts"),
    *_spaced("distance_first", "Distance from own first texts", 0.0, 2.0, "further from how it began",
             "cosine distance of later texts to the mean direction of the agent's first two; mean"),
    *_spaced("drift_own", "Drift from own real posts", -math.inf, math.inf,
             "moves away from the real person", "slope per step of distance_own within people"),
    *_spaced("drift_relative", "Loss of person", -math.inf, math.inf,
             "becomes nobody in particular", "slope per step of distance_relative within people"),
    *_spaced("drift_first", "Drift from own first texts", -math.inf, math.inf,
             "moves away from how it began", "slope per step of distance_first within people"),
    TextMeasure("words_per_text", "Words per text", "surface", 0.0, math.inf, "longer texts",
                "words, hashtags, mentions, links and emoji in a text; mean", "nobody wrote", "ours"),
    *(_share(f"{mark}_share", f"Texts with {plural}", "surface", "more of them",
             f"share of texts with at least one {mark}")
      for mark, plural in
      (("hashtag", "hashtags"), ("mention", "mentions"), ("link", "links"), ("emoji", "emoji"))),
    _share("looping_share", "Looping texts", "surface", "more texts are stuck",
           "share of texts in which one to four words stand three times in a row", "after arXiv 1904.09751"),
    _share("repeats_self_share", "Texts that repeat oneself", "surface", "people repeat themselves",
           "share of texts with the words of an earlier text of the same person"),
    _share("repeats_others_share", "Texts that repeat others", "surface", "people repeat each other",
           "share of texts with the words of an earlier text of somebody else"),
    *_copies("training", "own training posts"),
    *_copies("feed", "posts in view"),
)  # fmt: skip

TEXT_MEASURES: dict[str, TextMeasure] = {measure.id: measure for measure in _MEASURES}
