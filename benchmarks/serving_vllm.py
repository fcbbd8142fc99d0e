"""Hundreds of adapters on a vLLM server with few slots: our admission against vLLM's own scheduling.

Two loads. A *batch* sends requests evenly to a number of adapters at once, as a simulation's step does. A *stream*
keeps a number of requests outstanding, whose adapters follow Zipf's law, as many people with unequal appetite do. Under
`admission` requests wait in front of the server (`adapters.engines.vllm.residency.admission`), under `vLLM's own`
all of them go to the server at once. A wait lasts from a request's offer to its whole reply (ours), and replies have
fixed lengths. Every adapter is registered and in the server's memory beforehand.

    PLURES_VLLM_ENV=FOLDER python -m benchmarks.serving_vllm [--quick] [--json]
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from adapters.bases.loader import open_base
from adapters.engines.vllm.server.environment import environment_folder, open_environment
from adapters.errors import ServerError
from benchmarks.harness import Case, Figure, Goal, Results, main, ratios, take_turns
from benchmarks.vllm_loads import Answered, Asked, Batch, Bench, Stream, random_adapters, served

BASE = "tiny-moe"
OURS, OWN = "admission", "vLLM's own"
WORST_WAIT, OVER_OWN, OVER_RESIDENT, SAME_TOKENS = 3.0, 0.95, 0.7, 0.99


@dataclass(frozen=True, slots=True)
class Setting:
    """One server: its slots, and what it has to bear. All-resident servers have a slot for every adapter."""

    slots: int
    batches: tuple[Batch, ...]
    streams: tuple[Stream, ...]

    @property
    def adapters(self) -> int:
        """The most that any of its loads needs."""
        return max(load.adapters for load in (*self.batches, *self.streams))


_BATCHES = (Batch(1, 128, 8), Batch(16, 128, 8), Batch(64, 128, 8), Batch(256, 256, 5))
_SKEWED, _WIDE = Stream(64, 160, 64, 12), Stream(256, 256, 128, 8)
FULL = (
    Setting(8, _BATCHES, (_SKEWED,)),
    Setting(16, _BATCHES, (_SKEWED,)),
    Setting(64, _BATCHES, (_WIDE,)),
    Setting(256, _BATCHES[-1:], (_WIDE,)),
)
QUICK = (Setting(8, (Batch(1, 32, 4), Batch(32, 32, 4)), (Stream(32, 64, 32, 12),)),)


def measure(quick: bool) -> Results:
    """Run the cases; ends the program with a message where there is no vLLM environment."""
    try:
        env = open_environment(environment_folder()).path
    except ServerError as error:
        raise SystemExit(f"benchmarks.serving_vllm: {error}") from error
    results = Results()
    base = open_base(BASE)
    speeds: _Speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        for setting in QUICK if quick else FULL:
            adapters = random_adapters(base, setting.adapters)
            with served(setting.slots, base, adapters, env, Path(folder)) as bench:
                _measure_batches(setting, bench, results, speeds)
                for stream in setting.streams:
                    _measure_stream(setting.slots, stream, bench, results, speeds)
    _compare_with_resident(results, speeds)
    return results


def _measure_batches(setting: Setting, bench: Bench, results: Results, speeds: _Speeds) -> None:
    def run(asked: list[Asked]) -> float:
        return bench.run(asked, len(asked), admission=True).speed

    rng = np.random.default_rng(1)
    names = {
        f"{batch.adapters} adapters at once over {setting.slots} slots": batch for batch in setting.batches
    }
    measured = take_turns({name: partial(run, bench.dealt(batch, rng)) for name, batch in names.items()})
    for name, batch in names.items():
        speeds[setting.slots, batch] = measured[name]
        results.cases.append(Case(name, asdict(batch), {"tokens/s": Figure.of(measured[name])}))


def _measure_stream(slots: int, stream: Stream, bench: Bench, results: Results, speeds: _Speeds) -> None:
    asked = bench.drawn(stream, np.random.default_rng(2))
    runs: dict[str, list[Answered]] = {OURS: [], OWN: []}

    def run(name: str) -> float:
        runs[name].append(bench.run(asked, stream.outstanding, admission=name == OURS))
        return runs[name][-1].speed

    speeds[slots, stream] = take_turns({name: partial(run, name) for name in runs})[OURS]
    title = f"Zipf stream of {stream.adapters} adapters over {slots} slots"
    figures = _stream_figures(OURS, runs[OURS]) | _stream_figures(OWN, runs[OWN])
    results.cases.append(Case(title, asdict(stream), figures))
    if slots < stream.adapters:
        results.goals += _stream_goals(title, runs)


def _stream_figures(name: str, runs: Sequence[Answered]) -> dict[str, Figure]:
    waits = {
        "wait of a request, p50, s": lambda run: np.quantile(run.waits, 0.5),
        "wait of a request, p95, s": lambda run: np.quantile(run.waits, 0.95),
        "wait of a request, worst, s": lambda run: max(run.waits),
        "mean wait of an adapter, p50, s": lambda run: np.quantile(run.by_adapter, 0.5),
        "mean wait of an adapter, p95, s": lambda run: np.quantile(run.by_adapter, 0.95),
        "mean wait of an adapter, worst, s": lambda run: max(run.by_adapter),
        "worst wait over median": lambda run: run.unevenness,
    }
    return {
        f"{name}: tokens/s": Figure.of([run.speed for run in runs]),
        **{f"{name}: {what}": Figure.of([float(of(run)) for run in runs]) for what, of in waits.items()},
    }


def _stream_goals(title: str, runs: _Runs) -> list[Goal]:
    ours, own = runs[OURS], runs[OWN]
    speed = ratios([run.speed for run in ours], [run.speed for run in own]).median
    worst = Figure.of([run.unevenness for run in ours]).median
    pairs = [pair for a, b in zip(ours, own, strict=True) for pair in zip(a.tokens, b.tokens, strict=True)]
    same = sum(a == b for a, b in pairs) / len(pairs)
    return [
        Goal(f"worst wait over median under admission, {title}", worst, WORST_WAIT, at_least=False),
        Goal(f"tokens/s of admission over vLLM's own, {title}", speed, OVER_OWN),
        Goal(f"share of replies that are the same in both, {title}", same, SAME_TOKENS),
    ]


def _compare_with_resident(results: Results, speeds: _Speeds) -> None:
    for (slots, load), values in speeds.items():
        resident = speeds.get((load.adapters, load))
        if resident is not None and slots == 64 and load.adapters > slots:
            kind = "Zipf stream" if isinstance(load, Stream) else "even batch"
            results.goals.append(
                Goal(
                    f"{load.adapters} adapters over {slots} slots, tokens/s over all resident, {kind}",
                    ratios(values, resident).median,
                    OVER_RESIDENT,
                )
            )


_Runs = Mapping[str, list[Answered]]
_Speeds = dict[tuple[int, Batch | Stream], list[float]]


if __name__ == "__main__":
    raise SystemExit(main("Many adapters on a vLLM server with few slots", measure))
