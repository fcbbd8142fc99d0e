"""The experiment: every cell of the grid, then measures, comparison and report; resumable at any point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from adapters.engines.metered import MeteredEngine, Usage
from adapters.engines.protocol import Engine
from adapters.errors import ServerLostError
from adapters.store import AdapterStore
from agents.bindings import AdapterRefs, bind
from agents.policy import Policy, StructuredPolicy
from agents.tool_policy import ToolCallingPolicy
from sim.adapter_evidence import keep_rollouts
from sim.cell import grid
from sim.comparison import compare_run
from sim.engine_blocks import WHERE_AND_HOW_FAST
from sim.engines import engine_record, open_engine
from sim.errors import RunDirError
from sim.feeds import FeedPolicy
from sim.measuring import CellMeasures, measure
from sim.opinion_cell import opinion_model, run_opinion_cell
from sim.preparation import Prepared, obtain_adapters, prepare
from sim.progress import Silent, Watcher
from sim.progress_file import progress_file
from sim.provenance import hardware, versions
from sim.report import write_report
from sim.rng import generator
from sim.run_dir import FORMAT, CellDir, RunDir, State, write_frame
from sim.scenario import Scenario
from sim.scenario_file import as_plain
from sim.simulation import Simulation

_POLICIES: Mapping[str, Callable[..., Policy]] = {
    "structured": StructuredPolicy,
    "tool_calling": ToolCallingPolicy,
}
_TOLD = {"versions", "base", "corpus", "engine"}
_BEFORE_THE_MANIFEST = {".lock", "progress.json", "timings.json"}


def run_experiment(
    scenario: Scenario,
    out: Path | str,
    *,
    store: Path | str = "runs/store",
    resume: bool = False,
    watcher: Watcher | None = None,
) -> RunDir:
    """Run a scenario to its end.

    Args:
        scenario: what to run.
        out: the run directory; new or empty unless `resume`.
        store: folder of the adapter store; adapters that it holds already are not trained again.
        resume: go on with an unfinished run of the same scenario, or return a finished one.
        watcher: told of progress.

    Returns:
        The finished run.

    Raises:
        RunDirError: for a directory that holds something else, or that another process is writing.
        PluresErrors of the other rooms: see `sim.errors.USER_ERRORS`; all validation precedes all training.
    """
    run = RunDir(Path(out))
    _check_directory(run, scenario, resume)
    if run.manifest_file.exists() and run.state == "done" and all(cell.done for cell in run.cells()):
        return run
    with run.locked(), progress_file(run.path, watcher or Silent()) as watcher:
        clock = _Clock(run)
        with clock.measuring("validation"):
            ready = prepare(scenario)
        manifest = _manifest(scenario, ready)
        if run.manifest_file.exists():
            _tell_changes(run.manifest, manifest, watcher)
            if "engine" in run.manifest:
                manifest["engine"] = run.manifest["engine"]
        try:
            _run(scenario, ready, run, manifest, AdapterStore(Path(store)), watcher, clock)
        except (KeyboardInterrupt, ServerLostError):
            run.write_manifest({**run.manifest, "state": "interrupted"})
            raise
        except Exception:
            if run.manifest_file.exists():
                run.write_manifest({**run.manifest, "state": "failed"})
            raise
    return run


def _run(
    scenario: Scenario,
    ready: Prepared,
    run: RunDir,
    manifest: dict[str, Any],
    store: AdapterStore,
    watcher: Watcher,
    clock: _Clock,
) -> None:
    def enter(state: State, **more: Any) -> None:
        manifest.update(state=state, **more)
        run.write_manifest(manifest)

    enter("preparing")
    for size, population in ready.people.populations.items():
        write_frame(pd.DataFrame([_agent(a) for a in population]), run.population_file(size))
    with clock.measuring("adapters"):
        refs = obtain_adapters(scenario, ready, store, watcher, run.path / "training")
    adapters = {"own": dict(refs.own), "pooled": refs.pooled, "zero": refs.zero}
    cells = [cell for cell in map(run.cell, grid(scenario)) if not cell.done]
    speaking = any(opinion_model(cell.key.condition) is None for cell in cells)
    run.add_usage(asdict(Usage()))
    with ExitStack() as stack:
        engine = None
        if speaking:
            with clock.measuring("engine"):
                opened = open_engine(scenario, ready.base, store, folder=run.path, watcher=watcher)
            engine = stack.enter_context(_metered(opened, run))
            record = engine_record(scenario.engine, opened)
            _tell_changes({"engine": manifest.get("engine", record)}, {"engine": record}, watcher)
            manifest["engine"] = record
        enter("running", adapters=adapters)
        for cell in cells:
            with clock.measuring(cell.key.id):
                measures = _run_cell(scenario, ready, cell, refs, engine, watcher)
                if opinion_model(cell.key.condition) is None:
                    keep_rollouts(store, scenario, run.path.name, cell, watcher)
                write_frame(measures.stance, cell.stance_file)
                write_frame(measures.values, cell.metrics_file)
    with clock.measuring("report"):
        write_frame(run.read_metrics(), run.metrics_file)
        compare_run(run).to_csv(run.comparison_file, index=False)
        enter("done")
        write_report(run)


@contextmanager
def _metered(engine: Engine, run: RunDir) -> Iterator[MeteredEngine]:
    """An engine that is closed at the end, however that comes, and its spending written down."""
    with closing(MeteredEngine(engine)) as metered:
        try:
            yield metered
        finally:
            run.add_usage(asdict(metered.spent))


def _run_cell(
    scenario: Scenario,
    ready: Prepared,
    cell: CellDir,
    refs: AdapterRefs,
    engine: Engine | None,
    watcher: Watcher,
) -> CellMeasures:
    key, block = cell.key, scenario.simulation
    world = ready.worlds[key.size, key.seed]
    if name := opinion_model(key.condition):
        model = scenario.opinion_models.model(name)
        return run_opinion_cell(cell, world, name, model, ready.scorer, watcher)
    assert engine is not None, "language agents are why it was opened"
    bindings = bind(
        key.condition,
        world.population,
        refs,
        generator(key.seed, "permutation", key.size),
        scenario.adapters.permute,
    )
    cell.write_bindings(bindings)
    simulation = Simulation(
        world=world,
        bindings=bindings,
        engine=engine,
        policy=_POLICIES[block.policy](**block.sampling.model_dump()),
        feed=FeedPolicy(**block.feed.model_dump()),
        actions=block.actions,
    )
    simulation.run(cell, watcher)
    return measure(cell, world.population, ready.scorer, scenario.stance.weights, block.steps)


def _check_directory(run: RunDir, scenario: Scenario, resume: bool) -> None:
    if not run.path.exists():
        return
    if not run.path.is_dir():
        raise RunDirError(f"{run.path}: is a file; name a folder with --out")
    if not run.manifest_file.exists():
        names = [path.name for path in run.path.iterdir()]
        if strangers := [
            name for name in names if name not in _BEFORE_THE_MANIFEST and not name.endswith(".partial")
        ]:
            raise RunDirError(
                f"{run.path}: not empty and no run (it holds {strangers[0]}). Name another folder with --out."
            )
        return
    if not resume:
        raise RunDirError(
            f"{run.path}: holds a run already ({run.state}). Add --resume to go on with it, or name another --out."
        )
    # A key that the run's version did not know yet has its default.
    before, now = as_plain(run.scenario), as_plain(scenario)
    if changed := sorted(set(_differences(before, now)) - WHERE_AND_HOW_FAST):
        raise RunDirError(
            f"{run.path}: holds a run of another scenario; {', '.join(changed[:5])} differ. "
            "Name another folder with --out, or resume with the scenario it was started with."
        )


def _differences(before: Any, now: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() | now.keys():
            yield from _differences(before.get(key), now.get(key), f"{prefix}.{key}" if prefix else key)
    elif before != now:
        yield prefix


def _tell_changes(before: dict[str, Any], now: dict[str, Any], watcher: Watcher) -> None:
    for key in _TOLD & before.keys() & now.keys():
        if changed := sorted(set(_differences(before[key], now[key], key)) - WHERE_AND_HOW_FAST):
            watcher.say(f"Since this run began, {', '.join(changed)} changed: cells may not be comparable.")


def _manifest(scenario: Scenario, ready: Prepared) -> dict[str, Any]:
    people, base = ready.people, ready.base
    return {
        "format": FORMAT,
        "state": "preparing",
        "scenario": as_plain(scenario),
        "base": {"name": base.name, "fingerprint": base.fingerprint, "toy": base.is_toy},
        "corpus": {
            "name": people.corpus.name,
            "sha256": people.corpus.digest,
            "usable_people": len(people.splits),
            "excluded": {**people.corpus.excluded, **people.excluded},
        },
        "sides": list(people.sides),
        "worlds": {
            f"n{size}-s{seed}": {"follows": len(world.follows), "edges_left_out": dict(world.edges_left_out)}
            for (size, seed), world in ready.worlds.items()
        },
        "stance_scorer": {"kind": ready.scorer.kind, **asdict(ready.scorer.held_out)},
        "versions": versions(),
        "hardware": hardware(),
    }


def _agent(agent: Any) -> dict[str, Any]:
    return {
        "agent_id": agent.agent_id,
        "user_id": agent.user_id,
        "handle": agent.handle,
        "side": agent.side,
        "persona": agent.persona,
        "activity": agent.activity,
    }


class _Clock:
    """Seconds that each part took, in a file apart: everything else in a run is reproducible."""

    def __init__(self, run: RunDir) -> None:
        self._run = run

    @contextmanager
    def measuring(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._run.add_timing(part, time.perf_counter() - start)
