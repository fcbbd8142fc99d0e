"""Every measure of text for a run: whose style it is, how varied, how it drifts, what is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metrics.text.authorship import CREDITS, chance, fit_author_classifier, identified, user_credits
from metrics.text.catalogue import TEXT_MEASURES
from metrics.text.copying import Originals
from metrics.text.drift import Vectors, drift, drift_slope
from metrics.text.embeddings import Embedder
from metrics.text.measure import (
    DISTANCES,
    Values,
    copying_values,
    diversity_values,
    meaning_values,
    surface_values,
    text_distances,
)
from metrics.text.ngrams import fit_ngrams
from sim.errors import RunDirError
from sim.progress import Watcher
from sim.rng import generator
from sim.run_dir import RunDir
from sim.run_texts import CellTexts, RealTexts, finished_cells, read_cell, read_real

REAL = "real"
"""The pseudo-condition of the users' held-out posts: what the measures say of real texts."""

VALUE_COLUMNS = ["condition", "n", "seed", "metric", "step", "value"]
ESTIMATE_COLUMNS = ["condition", "n", "metric", "value", "low", "high", "chance"]
_CHUNK = 512
_EMBEDDING, _STYLES, _CELLS = "embedding texts", "learning authors' styles", "measuring texts"


@dataclass(frozen=True)
class TextMeasures:
    """The measures of a run's texts; ids are those of `metrics.text.catalogue`, in its order.

    Args:
        by_cell: one row for each condition, size, seed and metric: `condition`, `n`, `seed`, `metric`, `step`
            (missing: over the whole run), `value`. The condition `real` stands for the users' held-out posts and
            is repeated for every seed, so that it pairs with the others.
        estimates: over all seeds, with 95% intervals over people: `condition`, `n`, `metric`, `value`, `low`,
            `high`, `chance` (of the identification shares).
    """

    by_cell: pd.DataFrame
    estimates: pd.DataFrame


def measure_texts(run: RunDir, *, embedder: Embedder | None, watcher: Watcher) -> TextMeasures:
    """Measure the texts of every finished cell, and of the real people beside them.

    Args:
        run: finished, or with finished cells.
        embedder: for the measures of meaning; None leaves them out.
        watcher: told of progress.

    Raises:
        RunDirError: without a finished cell in which anybody wrote, or when the corpus has changed.
    """
    cells = [read_cell(run, cell) for cell in finished_cells(run)]
    if not any(len(cell.said) for cell in cells):
        raise RunDirError(
            f"{run.path}: no finished cell in which anybody wrote; expected one of language agents (those of opinion "
            "models do not write). If the run is unfinished, go on with it: plures run … --resume"
        )
    real = read_real(run)
    sizes = list(dict.fromkeys(cell.key.size for cell in cells))
    known = None
    if embedder is not None:
        everything = [cell.said["text"] for cell in cells]
        everything += [part["text"] for size in sizes for part in real[size]]
        known = _embedded(pd.concat(everything), embedder, watcher)
    watcher.begin(_STYLES, len(sizes))
    societies = []
    for size in sizes:
        societies.append(_Society(size, real[size], known))
        watcher.advance(_STYLES, len(societies))
    watcher.begin(_CELLS, len(cells))
    results: list[_Measured] = []
    for society in societies:
        for measured in _of_size(society, [cell for cell in cells if cell.key.size == society.size]):
            results.append(measured)
            watcher.advance(_CELLS, sum(result.condition != REAL for result in results))
    return TextMeasures(_values(results), _estimates(results, real))


class _Embedded:
    """Texts that were embedded beforehand."""

    def __init__(self, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
        self._place = {text: row for row, text in enumerate(texts)}
        self._rows = rows

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Look the rows up."""
        return self._rows[[self._place[text] for text in texts]]


def _embedded(texts: pd.Series[str], embedder: Embedder, watcher: Watcher) -> _Embedded:
    """Embed every distinct text once; neighbours in length together, which is fastest."""
    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    watcher.begin(_EMBEDDING, len(distinct))
    parts = []
    for start in range(0, len(distinct), _CHUNK):
        parts.append(embedder.embed(distinct[start : start + _CHUNK]))
        watcher.advance(_EMBEDDING, min(start + _CHUNK, len(distinct)))
    return _Embedded(distinct, np.concatenate(parts))


class _Society:
    """The people of one size and what is learned from their training posts."""

    def __init__(self, size: int, real: RealTexts, embedder: Embedder | None) -> None:
        self.size, self.real, self.embedder = size, real, embedder
        texts, authors = real.train["text"].tolist(), real.train["author"].tolist()
        self.authors = authors
        self.classifier = fit_author_classifier(texts, authors, rng=generator(0, "authorship", size))
        self._characters = fit_ngrams(texts, ["characters"])
        self.reference = self.spaces(texts)
        self.originals = {
            author: Originals(own.tolist()) for author, own in real.train.groupby("author")["text"]
        }

    def spaces(self, texts: Sequence[str]) -> dict[str, Vectors]:
        """The texts as vectors, in every space there is."""
        spaces: dict[str, Vectors] = {"characters": self._characters.vectors(texts)}
        if self.embedder is not None:
            spaces["embedding"] = self.embedder.embed(texts)
        return spaces

    def measure(self, said: pd.DataFrame) -> tuple[Values, dict[str, pd.DataFrame]]:
        """What can be said of texts (columns `author`, `step`, `text`) without other sets beside them."""
        texts, authors = said["text"].tolist(), said["author"].tolist()
        spaces = self.spaces(texts)
        distances = {
            name: text_distances(said, vectors, self.reference[name], self.authors)
            for name, vectors in spaces.items()
        }
        values = surface_values(said)
        values |= copying_values(texts, [self.originals[author] for author in authors], "training")
        if "embedding" in spaces:
            values |= meaning_values(spaces["embedding"], authors)
        for name, frame in distances.items():
            values |= {f"distance_{kind}_{name}": float(frame[kind].mean()) for kind in DISTANCES}
        return values, distances

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """Held-out posts as if written one a step: columns `author`, `step`, `text`."""
        posts = self.real.held_out
        return posts.assign(step=posts.groupby("author").cumcount() + 1)

    @cached_property
    def real_values(self) -> Values:
        """The measures of all held-out posts; without those that need a run's steps."""
        values, _ = self.measure(self.held_out)
        return {metric: value for metric, value in values.items() if "_first_" not in metric}

    def credits_of(self, texts: Sequence[str], person: Sequence[str]) -> pd.DataFrame:
        """How often texts reveal a person."""
        return user_credits(self.classifier.scores(texts), person)


@dataclass
class _Measured:
    """What is known of one cell, or of the real people beside the cells of one seed."""

    condition: str
    size: int
    seed: int
    values: Values
    distances: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    credits_of: dict[str, pd.DataFrame] = field(default_factory=dict)


def _of_size(society: _Society, cells: Sequence[CellTexts]) -> Iterator[_Measured]:
    for seed in dict.fromkeys(cell.key.seed for cell in cells):
        beside = [cell for cell in cells if cell.key.seed == seed]
        sets: dict[str, Sequence[str]] = {cell.key.condition: cell.said["text"].tolist() for cell in beside}
        diversity = diversity_values(
            sets | {REAL: society.real.held_out["text"].tolist()},
            rng=generator(seed, "equal amounts", society.size),
            embedder=society.embedder,
        )
        for cell in beside:
            yield _cell(society, cell, diversity[cell.key.condition])
        yield _real(society, seed, beside, diversity[REAL])


def _cell(society: _Society, cell: CellTexts, diversity: Values) -> _Measured:
    said, key = cell.said, cell.key
    texts, authors = said["text"].tolist(), said["author"].tolist()
    values, distances = society.measure(said)
    values |= copying_values(texts, [Originals(view) for view in cell.in_view], "feed") | diversity
    for name, frame in distances.items():
        for kind in DISTANCES:
            values[f"drift_{kind}_{name}"] = drift_slope(frame[kind], frame["author"], frame["step"])
    measured = _Measured(key.condition, key.size, key.seed, values, distances)
    measured.credits_of["author"] = society.credits_of(texts, authors)
    owned = said[said["owner"].notna()]
    if (owned["owner"] != owned["author"]).any():
        measured.credits_of["owner"] = society.credits_of(owned["text"].tolist(), owned["owner"].tolist())
    return measured


def _real(society: _Society, seed: int, beside: Sequence[CellTexts], diversity: Values) -> _Measured:
    """Held-out posts; to tell authors by, as many of each person as the person's agent wrote at most.

    A tail of many posts is easier to tell than one of few, so unequal tails would not compare.
    """
    written = [cell.said["author"].value_counts() for cell in beside]
    most = pd.concat(written, axis=1).max(axis=1)
    posts = society.held_out
    equal = posts[posts["step"] <= posts["author"].map(most).fillna(0)]
    measured = _Measured(REAL, society.size, seed, {**society.real_values, **diversity})
    measured.credits_of["author"] = society.credits_of(equal["text"].tolist(), equal["author"].tolist())
    return measured


def _values(results: Sequence[_Measured]) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for one in results:
        values = dict(one.values)
        for target, table in one.credits_of.items():
            values |= {f"{target}_{kind}": float(table[kind].mean()) for kind in CREDITS}
        cell = (one.condition, one.size, one.seed)
        rows += [(*cell, metric, pd.NA, values[metric]) for metric in TEXT_MEASURES if metric in values]
        for space, frame in one.distances.items():
            by_step = frame.groupby("step")[list(DISTANCES)].mean()
            rows += [
                (*cell, f"distance_{kind}_{space}", step, value)
                for kind in DISTANCES
                for step, value in by_step[kind].items()
            ]
    return pd.DataFrame(rows, columns=VALUE_COLUMNS).astype({"step": "Int64", "value": "float64"})


def _estimates(results: Sequence[_Measured], real: Mapping[int, RealTexts]) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for condition, size in dict.fromkeys((one.condition, one.size) for one in results):
        same = [one for one in results if (one.condition, one.size) == (condition, size)]
        rng = generator(0, "text intervals", size)
        candidates = real[size].train["author"].nunique()
        for target in dict.fromkeys(target for one in same for target in one.credits_of):
            of_seeds = pd.concat([one.credits_of[target] for one in same if target in one.credits_of])
            by_person = of_seeds.groupby(level=0)[list(CREDITS)].mean()
            for kind, first in CREDITS.items():
                share = identified(by_person[kind], rng=rng)
                rows.append((condition, size, f"{target}_{kind}", *share, chance(candidates, first)))
        for space in same[0].distances:
            frames = [one.distances[space].assign(seed=one.seed) for one in same]
            moves = pd.concat(frames, ignore_index=True)
            life = moves.groupby(["seed", "author"]).ngroup()
            for kind in DISTANCES:
                slope = drift(moves[kind], life, moves["step"], rng=rng)
                rows.append((condition, size, f"drift_{kind}_{space}", *slope, float("nan")))
    return pd.DataFrame(rows, columns=ESTIMATE_COLUMNS)
