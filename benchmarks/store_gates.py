"""What a burst of new revisions costs those who are already served: behind gates, and without them.

Requests to ready adapters arrive at random moments (the same in every run) at half of what the engine can
answer; a quarter of the way in, a burst of new revisions appears and each is asked once. A request waits
from its arrival until its reply is there.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from adapters.bases.loader import Base, load_base
from adapters.engines.canary import Canary
from adapters.engines.gated import GatedEngine, Gates
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import Engine, GenerateRequest, Sampling
from adapters.errors import NotReadyError
from adapters.lora.layers import StackedLora
from adapters.lora.spec import LoraSpec
from adapters.store import AdaptersFor, AdapterStore, Manifest, Publication
from adapters.store.tiers.reader import TieredAdapters
from benchmarks.harness import Case, Figure, Goal, Results, ratios, take_turns

SPEC = LoraSpec()
PROMPT_TOKENS, NEW_TOKENS = 96, 8
WARM_BYTES = 64 << 20
LOAD = 0.5
"""Arrivals a second over what full batches would answer."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One stream.

    Args:
        ready: adapters that serve from the start.
        requests: to these, over the whole stream.
        burst: new revisions.
        batch: most requests answered together.
        slots: adapters in the model at once.
    """

    ready: int
    requests: int
    burst: int
    batch: int
    slots: int


FULL = Setting(ready=16, requests=600, burst=64, batch=16, slots=32)
QUICK = Setting(ready=2, requests=20, burst=4, batch=4, slots=8)


@dataclass(slots=True)
class Stream:
    """The requests of one run and what became of them.

    Args:
        arrivals: seconds from the start, rising.
        requests: one for each arrival.
        burst_at: when the new revisions appear; infinity for never.
        newcomers: a request to each new revision.
    """

    arrivals: NDArray[np.float64]
    requests: Sequence[GenerateRequest]
    burst_at: float
    newcomers: Sequence[GenerateRequest]
    waits: list[float] = field(default_factory=list)
    newcomer_waits: list[float] = field(default_factory=list)


def measure(quick: bool) -> Results:
    """Run the case."""
    setting = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        return _measure(setting, AdapterStore(Path(folder) / "store"), load_base("tiny-moe"))


def _measure(setting: Setting, store: AdapterStore, base: Base) -> Results:
    rng = np.random.default_rng(0)
    ready = _publish(store, base, "ready", setting.ready)
    with _engine(store, base, setting) as (engine, _):
        capacity = _capacity(engine, setting, ready, base, rng)
    gaps = rng.exponential(1.0 / (LOAD * capacity), setting.requests)
    asked = [ready[i] for i in rng.integers(0, setting.ready, setting.requests)]
    arrivals, requests = np.cumsum(gaps), _requests("r", asked, base, rng)
    late: dict[str, list[float]] = {}

    def run(name: str, *, burst: bool, gated: bool) -> Callable[[], float]:
        def work() -> float:
            attempt = len(late.setdefault(name, []))
            new = _publish(store, base, f"{name.replace(' ', '-')}-{attempt}", setting.burst) if burst else []
            moment = float(arrivals[setting.requests // 4]) if burst else float("inf")
            stream = Stream(arrivals, requests, moment, _requests("n", new, base, rng))
            with _engine(store, base, setting) as (engine, tiers):
                if gated:
                    _serve_gated(stream, engine, tiers, store, setting)
                else:
                    _serve_openly(stream, engine, setting)
            late[name].append(_p95(stream.newcomer_waits) if burst else float("nan"))
            return _p95(stream.waits)

        return work

    measured = take_turns(
        {
            "no burst": run("no burst", burst=False, gated=True),
            "burst behind gates": run("burst behind gates", burst=True, gated=True),
            "burst without gates": run("burst without gates", burst=True, gated=False),
        }
    )
    figures = {
        f"p95 wait of ready adapters, {name}, s": Figure.of(values) for name, values in measured.items()
    }
    figures |= {f"p95 wait of new revisions, {name}, s": Figure.of(late[name]) for name in list(measured)[1:]}
    quiet, behind, _ = measured.values()
    return Results(
        [
            Case(
                "a burst of new revisions",
                asdict(setting) | {"arrivals_per_s": round(LOAD * capacity, 1)},
                figures,
            )
        ],
        [
            Goal(
                "p95 wait behind gates, burst over no burst",
                ratios(behind, quiet).median,
                1.2,
                at_least=False,
            )
        ],
    )


def _serve(
    stream: Stream, engine: Engine, setting: Setting, let_in: Callable[[], list[GenerateRequest]]
) -> None:
    """Answer what has arrived, batch by batch; after the burst, whatever newcomers `let_in` lets in join the line."""
    line: list[tuple[float, GenerateRequest]] = []
    coming = list(zip(stream.arrivals.tolist(), stream.requests, strict=True))
    answered, expected = 0, len(coming) + len(stream.newcomers)
    start = time.perf_counter()
    while answered < expected:
        now = time.perf_counter() - start
        while coming and coming[0][0] <= now:
            line.append(coming.pop(0))
        if now >= stream.burst_at:
            line += [(stream.burst_at, request) for request in let_in()]
        batch, line = line[: setting.batch], line[setting.batch :]
        results = engine.generate([request for _, request in batch])
        end = time.perf_counter() - start
        for (arrived, request), result in zip(batch, results, strict=True):
            if result.error is not None:
                raise AssertionError(f"{request.request_id}: {result.error}")
            waits = stream.waits if request.request_id.startswith("r") else stream.newcomer_waits
            waits.append(end - arrived)
        answered += len(batch)
        if not batch:
            time.sleep(0.0005)


def _serve_openly(stream: Stream, engine: Engine, setting: Setting) -> None:
    """All newcomers stand in the line from the burst on."""
    waiting = list(stream.newcomers)

    def let_in() -> list[GenerateRequest]:
        everybody = waiting.copy()
        waiting.clear()
        return everybody

    _serve(stream, engine, setting, let_in)


def _serve_gated(
    stream: Stream, inner: Engine, tiers: TieredAdapters, store: AdapterStore, setting: Setting
) -> None:
    """Newcomers are prewarmed, again and again where the queue was full, and join the line when their gates open."""
    gates = Gates(Canary((1, 2, 3, 4), max_new_tokens=1), per_batch=1, seats=setting.slots)
    engine = GatedEngine(inner, tiers, store.states, gates)
    unasked, closed = list(stream.newcomers), list[GenerateRequest]()

    def let_in() -> list[GenerateRequest]:
        while unasked:
            try:
                engine.prewarm(_adapter(unasked[0]))
            except NotReadyError:
                break
            closed.append(unasked.pop(0))
        opened = [request for request in closed if _adapter(request) not in engine.prewarming]
        closed[:] = [request for request in closed if request not in opened]
        return opened

    for revision in dict.fromkeys(map(_adapter, stream.requests)):
        if store.states.of(revision) == "registered":
            store.states.advance(revision, "prewarming", "benchmark")
            store.states.advance(revision, "ready", "benchmark")
    _serve(stream, engine, setting, let_in)
    engine.settle()


def _adapter(request: GenerateRequest) -> str:
    if request.adapter is None:
        raise ValueError(f"{request.request_id}: a request of this benchmark has an adapter")
    return request.adapter


def _capacity(
    engine: Engine, setting: Setting, ready: Sequence[str], base: Base, rng: np.random.Generator
) -> float:
    """Requests a second in full batches, everything warm."""
    batch = _requests("c", [ready[i % len(ready)] for i in range(setting.batch)], base, rng)
    engine.generate(batch)
    start = time.perf_counter()
    for _ in range(3):
        engine.generate(batch)
    return 3 * len(batch) / (time.perf_counter() - start)


def _requests(
    prefix: str, revisions: Sequence[str], base: Base, rng: np.random.Generator
) -> list[GenerateRequest]:
    return [
        GenerateRequest(
            f"{prefix}{i}",
            tuple(rng.integers(0, base.tokenizer.vocab_size, PROMPT_TOKENS).tolist()),
            revision,
            Sampling(NEW_TOKENS, temperature=0),
        )
        for i, revision in enumerate(revisions)
    ]


def _publish(store: AdapterStore, base: Base, name: str, count: int) -> list[str]:
    """Adapters with random factors, as new as their name."""
    stack = StackedLora.attach(base.model, SPEC, 1)
    generator = torch.Generator().manual_seed(int.from_bytes(name.encode()[-7:], "big"))
    publications = []
    for i in range(count):
        for layer in stack.layers.values():
            layer.A.data.normal_(0, 0.02, generator=generator)
            layer.B.data.normal_(0, 0.02, generator=generator)
        manifest = Manifest(base.name, base.fingerprint, SPEC, {"benchmark": name}, "", i)
        publications.append(Publication(stack.export(0), manifest, f"{name}-{i}"))
    stack.detach()
    return list(store.publish_many(publications))


@contextmanager
def _engine(
    store: AdapterStore, base: Base, setting: Setting
) -> Iterator[tuple[LocalEngine, TieredAdapters]]:
    tiers = TieredAdapters(AdaptersFor(base, store), warm_bytes=WARM_BYTES, queue=4)
    engine = LocalEngine(base, tiers, max_slots=setting.slots)
    try:
        yield engine, tiers
    finally:
        engine.close()
        tiers.close()


def _p95(values: Sequence[float]) -> float:
    return float(np.quantile(values, 0.95))
