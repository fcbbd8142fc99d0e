"""Runs as processes of their own: start, watch, stop, resume. What the dashboard's live control does.

A run at `runs/first` that is started here has its papers beside it, so that its folder holds a run and nothing else:

    runs/first.yaml           the scenario, as resolved
    runs/first.log            what the command printed, of all its starts
    runs/first.process.json   the process that was started last

The process is a session of its own: it outlives whoever started it, and no model is loaded where this module is.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import yaml

from adapters.processes import ProcessMark
from sim.atomic import write_json, write_text
from sim.engine_blocks import VllmEngineBlock
from sim.errors import RunDirError, ScenarioError
from sim.progress_file import Progress, read_progress
from sim.run_dir import RunDir
from sim.scenario import EdgeListGraph, FileCorpus, Scenario
from sim.scenario_file import as_plain
from sim.views.runs import LIVE, Status, status_of

Stage = Status | Literal["starting", "unstarted"]

LOG_LINES = 30
"""Of the log's end, shown as they stand."""
_LOG_BYTES = 64_000
_RESUMABLE: tuple[Stage, ...] = ("interrupted", "failed", "died", "unstarted")
_PROCESS = ".process.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from sim.cli.app import main; main()"
)
"""The command line, listening to SIGINT even when whoever started it does not, as shells in scripts do."""

_children: list[subprocess.Popen[bytes]] = []
"""Processes that this one started: their ends are taken note of, lest they stay in the system's table."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as seen from outside.

    Args:
        path: the run directory; there may be nothing yet.
        status: `starting` until its process works at the run directory, `unstarted` when it ended before that (the
            log says why), else as in `sim.views.runs`.
        progress: its tasks; None before the first.
        log: end of the log, empty for a run that was started elsewhere.
        process: whose work it is, when that is known.
        resumable: whether `resume` can go on with it.
    """

    path: Path
    status: Stage
    progress: Progress | None
    log: tuple[str, ...]
    process: ProcessMark | None
    resumable: bool

    @property
    def live(self) -> bool:
        """Whether somebody works at it."""
        return self.status == "starting" or self.status in LIVE


def check_name(name: str) -> str:
    """A name for a run's folder, as it was given.

    Raises:
        RunDirError: for one that is a path, hidden, too long, or that stands for something else beside runs.
    """
    if not _NAME.fullmatch(name) or name == "store":
        raise RunDirError(
            f"{name!r} is no name for a run: letters, digits, dots, dashes and underscores, at most 64, "
            "not beginning with a dot, and not `store`."
        )
    return name


def start(scenario: Scenario, folder: Path, name: str, *, store: Path) -> RunView:
    """Start a run as a process of its own.

    Args:
        scenario: what to run; paths in it absolute, as `load_scenario` makes them.
        folder: the run directory is `folder/name`.
        name: see `check_name`.
        store: adapter store.

    Returns:
        The run just after its start.

    Raises:
        RunDirError: for a bad name, or when something of that name is there.
        OSError: when the files beside it cannot be written.
    """
    out = folder / check_name(name)
    before = _process(out)
    if (out / "manifest.json").exists() or (before and before.alive()):
        raise RunDirError(f"{out}: there is a run of this name. Take another name, or resume that one.")
    if before is None:
        for path in (out, _scenario_file(out), _log_file(out)):
            if path.exists() or path.is_symlink():
                raise RunDirError(f"{path}: is there already, and not of a run. Take another name.")
    write_text(_scenario_file(out), _as_yaml(scenario))
    return _launch(out, _scenario_file(out), store)


def resume(out: Path, *, store: Path) -> RunView:
    """Go on with a run that stopped, wherever it was started.

    Args:
        out: the run directory.
        store: adapter store.

    Raises:
        RunDirError: when it is going on, finished, or no run.
    """
    seen = look(out)
    if not seen.resumable:
        raise RunDirError(f"{out}: cannot be resumed, for it is {seen.status}.")
    scenario = _scenario_file(out)
    if not scenario.exists():  # started elsewhere: its manifest holds what it was started with
        write_text(scenario, _as_yaml(RunDir.open(out).scenario))
    return _launch(out, scenario, store)


def stop(out: Path, *, patience: float = 0.0) -> RunView:
    """Ask a run to stop; what is finished is kept.

    Args:
        out: the run directory.
        patience: seconds to wait for its end; it ends after the pass that is under way.

    Raises:
        RunDirError: when its process is not known, or belongs to another machine.
    """
    seen = look(out)
    if not seen.live:
        return seen
    if seen.process is None or seen.process.alive() is None:
        raise RunDirError(f"{out}: its process is not on this machine. Press Ctrl-C where it was started.")
    seen.process.signal(signal.SIGINT)
    until = time.monotonic() + patience
    while time.monotonic() < until and (seen := look(out)).live:
        time.sleep(0.05)
    return seen


def look(out: Path) -> RunView:
    """See a run from outside.

    Args:
        out: the run directory, existing or about to.

    Raises:
        RunDirError: when there is neither a run nor a process that was started for one, or it is damaged.
    """
    _reap()
    launched = _process(out)
    if not (out / "manifest.json").exists():
        if launched is None:
            raise RunDirError(f"{out}: no run here, and none was started from here.")
        stage: Stage = "starting" if launched.alive() else "unstarted"
        return RunView(out, stage, None, _log_end(out), launched, resumable=stage in _RESUMABLE)
    progress = read_progress(out)
    stage = status_of(RunDir.open(out), progress)
    process = progress.process if progress else None
    if launched and launched.alive() and not (progress and (_same(progress, launched) or progress.at_work())):
        stage, process = "starting", launched  # resumed, and not yet at work
    return RunView(out, stage, progress, _log_end(out), process, resumable=stage in _RESUMABLE)


def validate(scenario: Scenario) -> tuple[str, ...]:
    """Check a scenario's corpus and base, as `plures validate` does, in a process of its own.

    Args:
        scenario: of `sim.scenario_file`, so its keys are checked already.

    Returns:
        What the command says of a valid scenario, line by line.

    Raises:
        ScenarioError: what the command says of another.
    """
    with TemporaryDirectory(prefix="plures-") as folder:
        path = Path(folder) / "scenario.yaml"
        write_text(path, _as_yaml(scenario))
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, "validate", str(path)],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode:
        raise ScenarioError(done.stderr.strip().removeprefix("plures: "))
    return tuple(done.stdout.splitlines())


def local_paths(scenario: Scenario) -> dict[str, Path]:
    """Key → file or folder of this machine that the scenario names, for whoever must guard them."""
    paths = {}
    if isinstance(scenario.corpus, FileCorpus):
        paths["corpus.path"] = scenario.corpus.path
    if isinstance(scenario.follow_graph, EdgeListGraph):
        paths["follow_graph.path"] = scenario.follow_graph.path
    if isinstance(scenario.engine, VllmEngineBlock) and scenario.engine.folder is not None:
        paths["engine.folder"] = scenario.engine.folder
    if Path(scenario.base).is_absolute():
        paths["base"] = Path(scenario.base)
    return paths


def launched(folder: Path) -> list[Path]:
    """Run directories directly in a folder that were started from here, those that never began included."""
    return sorted(
        file.with_name(file.name.removesuffix(_PROCESS)) for file in folder.glob(f"[!.]*{_PROCESS}")
    )


def _launch(out: Path, scenario: Path, store: Path) -> RunView:
    command = [sys.executable, "-c", _COMMAND, "run", str(scenario), "--out", str(out), "--store", str(store)]
    with _log_file(out).open("ab") as log:
        child = subprocess.Popen(
            [*command, "--resume"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children.append(child)
    write_json(_process_file(out), ProcessMark.of(child.pid).as_record())
    return look(out)


def _as_yaml(scenario: Scenario) -> str:
    return yaml.safe_dump(dict(as_plain(scenario)), sort_keys=False, allow_unicode=True)


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _process(out: Path) -> ProcessMark | None:
    path = _process_file(out)
    try:
        return ProcessMark.from_record(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunDirError(f"{path}: damaged ({error!r}). Delete it; the run itself needs it not.") from error


def _same(progress: Progress, launched: ProcessMark) -> bool:
    """Whether the process that was started last wrote this progress; it lives on for a moment after its run's end."""
    return (progress.process.pid, progress.process.host) == (launched.pid, launched.host)


def _log_end(out: Path) -> tuple[str, ...]:
    try:
        with _log_file(out).open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - _LOG_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(lines[-LOG_LINES:])


def _scenario_file(out: Path) -> Path:
    return out.with_name(f"{out.name}.yaml")


def _log_file(out: Path) -> Path:
    return out.with_name(f"{out.name}.log")


def _process_file(out: Path) -> Path:
    return out.with_name(f"{out.name}{_PROCESS}")
