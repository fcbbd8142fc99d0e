"""Runs as processes: started, watched, stopped, resumed; and every way in which one can be gone."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.processes import ProcessMark
from sim import control
from sim.control import RunView, look, resume, start, stop, validate
from sim.errors import RunDirError, ScenarioError
from sim.progress import Silent
from sim.progress_file import progress_file
from sim.run_dir import open_run
from sim.scenario import FileCorpus, Scenario
from sim.scenario_file import load_scenario, parse_scenario

LONG = Scenario.model_validate(
    {
        "name": "long",
        "corpus": {"users": 8, "posts_per_user": 10},
        "population": {"size": 6, "train_posts": 6, "held_out_posts": 2},
        "follow_graph": {"mean_degree": 2},
        "adapters": {"epochs": 1},
        "conditions": ["shared_base", "zero"],
        "seeds": [0],
        "simulation": {"steps": 4, "seed_posts": 4, "feed": {"size": 2}, "sampling": {"max_new_tokens": 24}},
        "compare": {"treatment": "zero", "control": "shared_base"},
    }
)


@pytest.fixture(autouse=True)
def _one_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs take one core, and none outlives its test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    for child in control._children:
        child.kill()
        child.wait()


def _wait(out: Path, until: Callable[[RunView], bool], seconds: float = 100) -> RunView:
    limit = time.monotonic() + seconds
    while not until(seen := look(out)):
        assert time.monotonic() < limit, seen
        time.sleep(0.05)
    return seen


def _steps(seen: RunView) -> int:
    return sum(task.done for task in seen.progress.tasks) if seen.progress else 0


def test_run_is_started_and_stopped_in_the_middle(tmp_path: Path) -> None:
    """With a real process; how it goes on is `test_stopped_run_is_resumed_to_its_end`."""
    _start_and_stop(tmp_path)


@pytest.mark.slow
def test_stopped_run_is_resumed_to_its_end(tmp_path: Path) -> None:
    out = _start_and_stop(tmp_path)
    assert resume(out, store=tmp_path / "store").status == "starting"
    ended = _wait(out, lambda seen: not seen.live)
    assert ended.status == "done", ended.log
    assert not ended.resumable
    assert all(cell.done for cell in open_run(out).cells())
    assert ended.progress is not None
    assert ended.progress.resumed > ended.progress.started


def _start_and_stop(folder: Path) -> Path:
    out, store = folder / "first", folder / "store"
    begun = start(LONG, folder, "first", store=store)
    assert begun.status == "starting"
    assert load_scenario(folder / "first.yaml") == LONG
    with pytest.raises(RunDirError, match="there is a run of this name"):
        start(LONG, folder, "first", store=store)
    with pytest.raises(RunDirError, match="cannot be resumed, for it is starting"):
        resume(out, store=store)

    running = _wait(out, lambda seen: _steps(seen) >= 1)
    assert running.status == "running"
    assert running.live
    stopped = stop(out, patience=30)
    assert (stopped.status, stopped.resumable) == ("interrupted", True)
    assert "add --resume to go on" in stopped.log[-1]
    assert _steps(stopped) < 8
    assert sorted(p.name for p in folder.iterdir()) == [
        "first", "first.log", "first.process.json", "first.yaml", "store",
    ]  # fmt: skip
    return out


def test_run_that_a_living_notebook_left_can_be_resumed(tmp_path: Path) -> None:
    """Its process goes on, but no longer with the run: that is no reason to wait for it, nor to signal it."""
    out = _manifest(tmp_path / "left", "interrupted")
    with progress_file(out, Silent()):
        assert look(out).status == "preparing"
    seen = look(out)
    assert (seen.status, seen.resumable) == ("interrupted", True)
    assert stop(out) == seen


def test_run_that_was_killed_is_seen_as_died_and_can_be_resumed(tmp_path: Path) -> None:
    out = _manifest(tmp_path / "killed", "running")
    _write_progress(out, _dead())
    seen = look(out)
    assert (seen.status, seen.live, seen.resumable) == ("died", False, True)
    assert stop(out) == seen


def test_process_that_got_the_number_of_a_run_is_left_alone(tmp_path: Path) -> None:
    """This very process has the pid, but it began at another time than the run's."""
    out = _manifest(tmp_path / "recycled", "running")
    here = ProcessMark.of()
    _write_progress(out, ProcessMark(here.pid, here.started - 3600, here.host))
    assert look(out).status == "died"
    assert stop(out).status == "died"


def test_run_of_another_machine_is_believed_and_cannot_be_stopped(tmp_path: Path) -> None:
    out = _manifest(tmp_path / "afar", "running")
    here = ProcessMark.of()
    _write_progress(out, ProcessMark(here.pid, here.started, "elsewhere"))
    assert look(out).status == "running"
    with pytest.raises(RunDirError, match="not on this machine"):
        stop(out)


def test_run_that_cannot_begin_says_why_and_its_name_is_free_again(tmp_path: Path) -> None:
    corpus = FileCorpus(kind="file", path=tmp_path / "no-such-people.jsonl")
    bad = LONG.model_copy(update={"corpus": corpus})
    start(bad, tmp_path, "bad", store=tmp_path / "store")
    seen = _wait(tmp_path / "bad", lambda seen: not seen.live)
    assert (seen.status, seen.resumable) == ("unstarted", True)
    assert "no-such-people" in " ".join(seen.log)
    again = start(LONG, tmp_path, "bad", store=tmp_path / "store")
    assert again.status == "starting"


@pytest.mark.parametrize("name", ["", ".hidden", "../out", "a/b", "store", "x" * 65, "a\n"])
def test_name_that_is_no_folder_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="is no name for a run"):
        start(LONG, tmp_path, name, store=tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mine.yaml", "mine.log", "mine"])
def test_what_is_somebody_elses_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(RunDirError, match=f"{name}: is there already"):
        start(LONG, tmp_path, "mine", store=tmp_path / "store")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(name, "mine")]


def test_validation_says_what_the_command_says(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="train_posts"):
        validate(parse_scenario("name: x\ncorpus: {users: 8, posts_per_user: 5}", tmp_path / "x.yaml"))


def test_nothing_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="no run here, and none was started"):
        look(tmp_path / "nothing")


def test_damaged_papers_name_their_file(tmp_path: Path) -> None:
    (tmp_path / "x.process.json").write_text("{")
    with pytest.raises(RunDirError, match=r"x\.process\.json: damaged"):
        look(tmp_path / "x")


def test_signal_reaches_the_process_that_is_meant() -> None:
    child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"])
    mark = ProcessMark.of(child)
    assert mark.alive()
    assert mark.signal(signal.SIGKILL)
    os.waitpid(child, 0)
    assert not mark.alive()
    assert not mark.signal(signal.SIGKILL)
    with pytest.raises(ProcessLookupError):
        ProcessMark.of(child)


def _dead() -> ProcessMark:
    child = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", "input()"])
    mark = ProcessMark.of(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return mark


def _manifest(out: Path, state: str) -> Path:
    out.mkdir()
    (out / "manifest.json").write_text(json.dumps({"format": 1, "state": state}))
    return out


def _write_progress(out: Path, process: ProcessMark) -> None:
    record = {
        "format": 1,
        "process": process.as_record(),
        "started": "2026-01-01T00:00:00+00:00",
        "resumed": "2026-01-01T00:00:00+00:00",
        "updated": "2026-01-01T00:00:01+00:00",
        "ended": None,
        "tasks": [{"name": "lora-n8-s0", "total": 2, "done": 1, "note": ""}],
        "messages": [],
    }
    (out / "progress.json").write_text(json.dumps(record))
