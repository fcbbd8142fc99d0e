"""The same people on the upcycled mixture of experts, answered in this process and by vLLM: decisions and costs.

`scenarios/people-upcycled.yaml`, its condition `lora`, is simulated by both engines, a seed at a time in turn, so that
every round has prompts that neither has seen. Ledgers are compared row by row. Where two greedy replies to one prompt
part, their margin is by how much the local engine prefers the first token that differs: near zero, it is rounding that
decides.

    PLURES_POSTS=FILE PLURES_VLLM_ENV=FOLDER python -m benchmarks.upcycled [--quick] [--json]

PLURES_POSTS is a corpus file; without it the people are invented ones. PLURES_STORE is a folder that keeps the
adapters, which are trained anew without it.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import psutil

from adapters.bases.loader import open_base
from adapters.engines.protocol import Engine, GenerateRequest, GenerateResult, ScoreRequest, ScoreResult
from adapters.store import AdapterStore
from agents.bindings import AdapterRefs, bind
from agents.policy import StructuredPolicy
from agents.synthetic import make_community, write_community
from benchmarks.harness import Case, Figure, Goal, Results, main, ratios
from sim.cell import grid
from sim.engine_blocks import LocalEngineBlock
from sim.engines import open_engine
from sim.errors import USER_ERRORS
from sim.feeds import FeedPolicy
from sim.preparation import Prepared, obtain_adapters, prepare
from sim.progress import Silent
from sim.rng import generator
from sim.run_dir import CellDir
from sim.scenario import Scenario
from sim.scenario_file import load_scenario
from sim.simulation import Simulation

SCENARIO = Path(__file__).parents[1] / "scenarios" / "people-upcycled.yaml"
LOCAL, VLLM = "local", "vLLM"
FULL = (
    "conditions=[lora]",
    "adapters.epochs=1",
    "engine.kind=vllm",
    "engine.max_loras=16",
    "engine.context=1024",
)
QUICK = (
    *FULL,
    "population.size=4",
    "population.train_posts=10",
    "simulation.steps=1",
    "simulation.seed_posts=2",
    "simulation.sampling.max_new_tokens=16",
    "seeds=[0]",
)

SAME, NEAR, LOGPROB = 1.0, 1e-3, 1e-4
"""Goals: share of equal rows; margin, in nats, under which a parting is a tie; |Δ log p| of a token on average."""


class Exchange(NamedTuple):
    """One request and what an engine made of it."""

    request: GenerateRequest
    result: GenerateResult


@dataclass
class Kept:
    """An engine that remembers what it was asked and what it cost.

    Args:
        inner: does the work; closed with this one.
    """

    inner: Engine
    exchanges: list[Exchange] = field(default_factory=list)
    took: float = 0.0

    def generate(self, requests: Sequence[GenerateRequest]) -> list[GenerateResult]:
        """Answer, and remember."""
        start = time.perf_counter()
        results = self.inner.generate(requests)
        self.took += time.perf_counter() - start
        self.exchanges += map(Exchange, requests, results)
        return results

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoreResult]:
        """Score."""
        return self.inner.score(requests)

    def close(self) -> None:
        """Close the inner engine."""
        self.inner.close()


@dataclass(frozen=True)
class Simulated:
    """One seed under all conditions: what was written down, what the engine was asked, and its seconds."""

    ledger: pd.DataFrame
    exchanges: Sequence[Exchange]
    took: float

    @property
    def speed(self) -> float:
        """Tokens, read and written, per second of the engine."""
        tokens = sum(e.result.prompt_tokens + e.result.completion_tokens for e in self.exchanges)
        return tokens / self.took


def measure(quick: bool) -> Results:
    """Run the case; ends the program with a message where base, posts or vLLM are missing."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _measured(QUICK if quick else FULL, Path(folder))
        except USER_ERRORS as error:
            raise SystemExit(f"benchmarks.upcycled: {error}") from error


def _measured(settings: Sequence[str], folder: Path) -> Results:
    scenario = load_scenario(SCENARIO, [*settings, f"corpus.path={_posts(folder)}"])
    ready = prepare(scenario)
    store = AdapterStore(Path(os.environ.get("PLURES_STORE", folder / "store")))
    start = time.perf_counter()
    refs = obtain_adapters(scenario, ready, store, Silent(), folder / "training")
    costs = {"adapters: found or trained, s": time.perf_counter() - start}
    ready.base.weights.release()
    engines: dict[str, Kept] = {}
    runs: dict[str, list[Simulated]] = {name: [] for name in (LOCAL, VLLM)}
    with ExitStack() as stack:
        for name, block in ((LOCAL, LocalEngineBlock()), (VLLM, scenario.engine)):
            start = time.perf_counter()
            asked = scenario.model_copy(update={"engine": block})
            engine = open_engine(asked, open_base(scenario.base), store, folder=folder)
            engines[name] = Kept(stack.enter_context(closing(engine)))
            costs[f"{name}: start, s"] = time.perf_counter() - start
        for seed in scenario.seeds:
            for name, engine in engines.items():
                gc.collect()
                runs[name].append(_simulated(scenario, ready, refs, engine, seed, folder / name))
        this = psutil.Process()
        costs[f"{LOCAL}: memory of the whole process, MB"] = _megabytes([this])
        costs[f"{VLLM}: memory of the server, MB"] = _megabytes(this.children(recursive=True))
        found = [p for a, b in _rounds(runs) for p in partings(a.exchanges, b.exchanges)]
        preferred = margins(engines[LOCAL], found)
    return _results(scenario, runs, preferred, costs)


def _posts(folder: Path) -> Path:
    """The corpus file: the user's, or that of people who are invented."""
    if given := os.environ.get("PLURES_POSTS"):
        return Path(given)
    write_community(make_community(np.random.default_rng(0), 40, 100, 0), folder)
    return folder / "timelines.jsonl"


def _megabytes(processes: Sequence[psutil.Process]) -> float:
    """Memory of processes, what they share counted once (Linux's proportional set size)."""
    return float(sum(process.memory_full_info().pss for process in processes)) / 1e6


def _simulated(
    scenario: Scenario, ready: Prepared, refs: AdapterRefs, engine: Kept, seed: int, folder: Path
) -> Simulated:
    """One seed under all conditions."""
    engine.exchanges, engine.took = [], 0.0
    block = scenario.simulation
    ledgers = []
    for key in (key for key in grid(scenario) if key.seed == seed):
        cell, world = CellDir(key, folder / key.id), ready.worlds[key.size, key.seed]
        rng = generator(key.seed, "permutation", key.size)
        Simulation(
            world=world,
            bindings=bind(key.condition, world.population, refs, rng, scenario.adapters.permute),
            engine=engine,
            policy=StructuredPolicy(**block.sampling.model_dump()),
            feed=FeedPolicy(**block.feed.model_dump()),
            actions=block.actions,
        ).run(cell, Silent())
        ledgers.append(cell.ledger.read().assign(cell=key.id))
    return Simulated(pd.concat(ledgers, ignore_index=True), engine.exchanges, engine.took)


def _rounds(runs: Mapping[str, Sequence[Simulated]]) -> list[tuple[Simulated, Simulated]]:
    return list(zip(runs[LOCAL], runs[VLLM], strict=True))


def _results(
    scenario: Scenario,
    runs: Mapping[str, Sequence[Simulated]],
    preferred: Sequence[float],
    costs: Mapping[str, float],
) -> Results:
    rounds = _rounds(runs)
    same = [same_rows(a.ledger, b.ledger) for a, b in rounds]
    apart = [d for a, b in rounds for d in logprob_differences(a.exchanges, b.exchanges)]
    figures = {name: Figure.of([value]) for name, value in costs.items()}
    for name, simulated in runs.items():
        figures[f"{name}: a seed, s"] = Figure.of([run.took for run in simulated])
        figures[f"{name}: tokens/s, read and written"] = Figure.of([run.speed for run in simulated])
    speeds = ([run.speed for run in runs[LOCAL]], [run.speed for run in runs[VLLM]])
    figures["local over vLLM, tokens/s"] = ratios(*speeds)
    figures["share of ledger rows that are the same"] = Figure.of(same)
    figures["replies that part, in all"] = Figure.of([float(len(preferred))])
    setting = {
        "base": scenario.base,
        "people": scenario.population.size[0],
        "steps": scenario.simulation.steps,
        "conditions": list(scenario.conditions),
        "decisions": sum(len(run.ledger) for run in runs[LOCAL]),
    }
    goals = [Goal("share of ledger rows that are the same, least of all seeds", min(same), SAME)]
    if apart:
        goals.append(
            Goal("|difference of log p| per token of equal replies, largest", max(apart), LOGPROB, False)
        )
    if preferred:
        goals.append(
            Goal("margin of replies that part, nats, largest", max(map(abs, preferred)), NEAR, False)
        )
    return Results([Case("the same people in two engines", setting, figures)], goals)


class Parting(NamedTuple):
    """Two replies to one prompt under one adapter, as token ids."""

    request: GenerateRequest
    ours: tuple[int, ...]
    theirs: tuple[int, ...]

    @property
    def common(self) -> int:
        """Tokens before the first one that differs."""
        pairs = zip(self.ours, self.theirs, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def partings(ours: Sequence[Exchange], theirs: Sequence[Exchange]) -> list[Parting]:
    """Requests that are the same on both sides and were answered by both, and whose replies are not the same."""
    return [
        Parting(a.request, a.result.token_ids, b.result.token_ids)
        for a, b in zip(ours, theirs, strict=True)
        if (a.request.prompt, a.request.adapter) == (b.request.prompt, b.request.adapter)
        and a.result.error is b.result.error is None
        and a.result.token_ids != b.result.token_ids
    ]


def margins(engine: Engine, found: Sequence[Parting]) -> list[float]:
    """By how many nats `engine` prefers our first different token to theirs."""
    return [
        _log_p(engine, parting, parting.ours) - _log_p(engine, parting, parting.theirs) for parting in found
    ]


def _log_p(engine: Engine, parting: Parting, reply: tuple[int, ...]) -> float:
    """log p of the reply's first token that differs."""
    upto = reply[: parting.common + 1]
    asked = ScoreRequest("margin", parting.request.prompt, upto, parting.request.adapter)
    (result,) = engine.score([asked])
    assert result.error is None, result.error
    return result.logprobs[-1]


def logprob_differences(ours: Sequence[Exchange], theirs: Sequence[Exchange]) -> list[float]:
    """|Δ log p| per token of every reply that both gave to the same prompt."""
    return [
        abs(sum(a.result.logprobs) - sum(b.result.logprobs)) / len(a.result.token_ids)
        for a, b in zip(ours, theirs, strict=True)
        if a.request.prompt == b.request.prompt
        and a.result.token_ids == b.result.token_ids != ()  # () is an error
    ]


def same_rows(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """Share of ledger rows that agree in every column but `logprob`."""
    a, b = (ledger.drop(columns="logprob").astype(object) for ledger in (ours, theirs))
    for column in ("feed", "reply_tokens"):
        a[column], b[column] = a[column].map(tuple), b[column].map(tuple)
    return float(((a == b) | (a.isna() & b.isna())).all(axis=1).mean())


if __name__ == "__main__":
    raise SystemExit(main("People on an upcycled mixture of experts, in two engines", measure))
