"""The catalog of a store at one thousand and at one million records: bulk registration, look-ups, pages.

The small and the large catalog take turns. Beside every look-up by name runs the least that SQLite itself can do: one
SELECT for the same name through a connection that is open already.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.store import AdapterStore, EntryFilter, MetricBound, PackRow, Registration, RevisionRow
from adapters.store.catalog.shape import Shape
from benchmarks.harness import Case, Figure, Goal, Results, ratios, take_turns

_PACK = PackRow("packs/benchmark.safetensors", "0" * 64, 1, "2026-01-01T00:00:00+00:00")
_SHAPE = Shape(4, ("k_proj", "o_proj", "q_proj", "v_proj"), "a" * 64, 96, 1_000_000, "F32")
_BASES = ("tiny-moe", "smollm2")
_COMMUNITIES = 100
_TAGS = 100
_PAGE = 50
_ROUNDS = 5
_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Setting:
    """Records of the two catalogs, rows registered at a time, look-ups and pages measured in each round."""

    small: int = 1_000
    large: int = 1_000_000
    chunk: int = 250_000
    look_ups: int = 2_000
    pages: int = 50


_FULL = Setting()
_QUICK = Setting(large=20_000, chunk=5_000, look_ups=200, pages=5)


@dataclass(frozen=True)
class Filled:
    """A catalog with its records in; `seconds` are those that each chunk took."""

    store: AdapterStore
    records: int
    seconds: Sequence[float]


def measure(quick: bool) -> Results:
    """Fill both catalogs, then let them take turns."""
    setting = _QUICK if quick else _FULL
    with tempfile.TemporaryDirectory() as folder:
        small = _fill(Path(folder) / "small", setting.small, setting.small)
        large = _fill(Path(folder) / "large", setting.large, setting.chunk)
        results = Results()
        _registration(results, large, setting)
        for name, look_up in _LOOK_UPS.items():
            _look_up(results, name, look_up, (small, large), setting)
        for name, wanted in _PAGES.items():
            _pages(results, name, wanted, (small, large), setting)
        return results


def _fill(root: Path, records: int, chunk: int) -> Filled:
    store = AdapterStore(root)
    with store.writing():
        store.layout.packs.mkdir()
        (root / _PACK.file).write_bytes(bytes(_PACK.size))
    seconds = []
    for first in range(0, records, chunk):
        rows = list(_rows(range(first, min(first + chunk, records))))
        start = time.perf_counter()
        store.register(_PACK, rows)
        seconds.append(time.perf_counter() - start)
    for number in range(_TAGS):
        store.tag(f"tag-{number}", _revision(number * records // _TAGS))
    return Filled(store, records, seconds)


def _rows(numbers: range) -> Iterator[Registration]:
    """Distinct content each, two metrics with ties, half on either base."""
    for i in numbers:
        row = RevisionRow(
            revision=_revision(i),
            base_name=_BASES[i % 2],
            base_fingerprint=_digest("base", i % 2),
            shape=_SHAPE,
            pack=None,
            kind="personal",
            seed=i,
            data_hash=_digest("data", i),
            training_key=_digest("key", i),
            parent=None,
            created_at="2026-01-01T00:00:00.000000+00:00",
            size=100_000,
            manifest_sha256=_digest("manifest", i),
        )
        metrics = {"last_loss": 1.0 + (i * 7919 % 10007) / 10007, "tokens": float(i % 1000)}
        yield Registration(row, _name(i), f"Person-{i}", metrics)


def _registration(results: Results, filled: Filled, setting: Setting) -> None:
    rates = Figure.of([setting.chunk / seconds for seconds in filled.seconds])
    whole = filled.records / sum(filled.seconds)
    size = filled.store.layout.catalog.stat().st_size
    figures = {
        "revisions per second, chunk by chunk": rates,
        "revisions per second, all": Figure.of([whole]),
        "bytes of the catalog per revision": Figure.of([size / filled.records]),
    }
    at_once = {"records": filled.records, "at once": setting.chunk, "metrics each": 2}
    results.cases.append(Case("bulk registration", at_once, figures))
    results.goals.append(Goal("bulk registration, revisions per second", whole, 20_000))


def _look_up(
    results: Results,
    name: str,
    reference: Callable[[int], str],
    catalogs: tuple[Filled, Filled],
    setting: Setting,
) -> None:
    rng = np.random.default_rng(_SEED)
    samples: dict[str, list[tuple[float, float]]] = {}

    def contestant(filled: Filled) -> Callable[[], float]:
        def work() -> float:
            numbers = rng.integers(filled.records, size=setting.look_ups)
            refs = [reference(int(i)) for i in numbers]
            times, computing = np.array([_look_up_times(filled.store, ref) for ref in refs]).T
            p99s = (float(np.percentile(times, 99)), float(np.percentile(computing, 99)))
            samples.setdefault(str(filled.records), []).append(p99s)
            return float(np.median(times))

        return work

    small, large = catalogs
    contestants = {str(filled.records): contestant(filled) for filled in catalogs}
    if name == "name":
        contestants["floor"] = _floor(large, rng, setting)
    measured = take_turns(contestants, _ROUNDS)
    figures = {
        f"median ms, {key} records": Figure.of(values) for key, values in measured.items() if key != "floor"
    }
    for key, pairs in samples.items():
        figures[f"p99 ms, {key} records"] = Figure.of([p99 for p99, _ in pairs])
        figures[f"p99 ms of processor time, {key} records"] = Figure.of([p99 for _, p99 in pairs])
    growth = ratios(measured[str(large.records)], measured[str(small.records)])
    figures["large over small"] = growth
    if "floor" in measured:
        figures["median ms, one SELECT on an open connection"] = Figure.of(measured["floor"])
    results.cases.append(Case(f"resolve by {name}", {"look-ups": setting.look_ups}, figures))
    worst = figures[f"p99 ms, {large.records} records"].median
    results.goals += [
        Goal(f"resolve by {name}, p99 ms at {large.records:,}", worst, 2, at_least=False),
        Goal(
            f"resolve by {name}, {large.records:,} over {small.records:,}", growth.median, 2, at_least=False
        ),
    ]


def _floor(filled: Filled, rng: np.random.Generator, setting: Setting) -> Callable[[], float]:
    query = "SELECT v.revision FROM records r JOIN revisions v ON v.id = r.head WHERE r.name = ?"

    def work() -> float:
        names = [_name(int(i)) for i in rng.integers(filled.records, size=setting.look_ups)]
        with closing(sqlite3.connect(filled.store.layout.catalog)) as db:
            times = [_milliseconds(lambda name=name: db.execute(query, (name,)).fetchone()) for name in names]  # type: ignore[misc]
        return float(np.median(times))

    return work


def _pages(
    results: Results, name: str, wanted: EntryFilter, catalogs: tuple[Filled, Filled], setting: Setting
) -> None:
    """The first page, and one behind it."""

    def contestant(filled: Filled) -> Callable[[], float]:
        def work() -> float:
            times = []
            for _ in range(setting.pages):
                after: str | None = None
                for _ in range(2):
                    start = time.perf_counter()
                    page = filled.store.list(wanted, limit=_PAGE, after=after)
                    times.append(1000 * (time.perf_counter() - start))
                    after = page[-1].cursor if page else None
            return float(np.median(times))

        return work

    small, large = catalogs
    measured = take_turns({str(filled.records): contestant(filled) for filled in catalogs}, _ROUNDS)
    figures = {f"median ms, {key} records": Figure.of(values) for key, values in measured.items()}
    figures["large over small"] = ratios(measured[str(large.records)], measured[str(small.records)])
    results.cases.append(Case(f"page {name}", {"entries": _PAGE}, figures))


def _look_up_times(store: AdapterStore, ref: str) -> tuple[float, float]:
    """Milliseconds on the clock and of processor time; on a busy machine the clock also counts what others do."""
    start, computing = time.perf_counter(), time.thread_time()
    store.resolve(ref)
    return 1000 * (time.perf_counter() - start), 1000 * (time.thread_time() - computing)


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _name(i: int) -> str:
    return f"town-{i % _COMMUNITIES:03d}.user-{i:07d}"


def _revision(i: int) -> str:
    return _digest("revision", i)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


_LOOK_UPS: dict[str, Callable[[int], str]] = {
    "name": _name,
    "revision id": _revision,
    "12 digits": lambda i: _revision(i)[:12],
    "name@digits": lambda i: f"{_name(i)}@{_revision(i)[:6]}",
    "tag": lambda i: f"tag-{i % _TAGS}",
}
_PAGES: dict[str, EntryFilter] = {
    "of all names": EntryFilter(),
    "of a prefix": EntryFilter(name_prefix="town-00"),
    "of a base": EntryFilter(base="smollm2"),
    "of a person": EntryFilter(person="Person-77"),
    "of a tag": EntryFilter(tag="tag-7"),
    "of a metric, best first": EntryFilter(metric=MetricBound("last_loss", "<=", 1.5)),
    "of a state": EntryFilter(state="served"),
}
