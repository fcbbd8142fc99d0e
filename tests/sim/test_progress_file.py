"""The progress file: whole at every moment, seldom written, gone on with after a resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.processes import ProcessMark
from sim.errors import RunDirError
from sim.progress import Silent
from sim.progress_file import KEPT_MESSAGES, PAUSE, ProgressFile, progress_file, read_progress


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_file_says_who_works_and_how_far(tmp_path: Path) -> None:
    with progress_file(tmp_path, Silent()) as watcher:
        watcher.begin("lora-n8-s0", 4)
        watcher.advance("lora-n8-s0", 4, "1 failed")
        watcher.say("Loaded 8 adapters.")
    seen = read_progress(tmp_path)
    assert seen is not None
    assert seen.process == ProcessMark.of()
    assert seen.ended is not None
    assert not seen.at_work()
    assert [(t.name, t.done, t.total, t.note) for t in seen.tasks] == [("lora-n8-s0", 4, 4, "1 failed")]
    assert seen.messages == ["Loaded 8 adapters."]


def test_writings_keep_their_distance_but_the_end_is_always_there(tmp_path: Path) -> None:
    clock = _Clock()
    watcher = ProgressFile(tmp_path / "progress.json", Silent(), clock)
    watcher.begin("cell", 10)
    begun = read_progress(tmp_path)
    assert begun is not None
    assert begun.at_work()
    watcher.advance("cell", 1)
    assert _done(tmp_path) == 0
    clock.now += PAUSE
    watcher.advance("cell", 2)
    assert _done(tmp_path) == 2
    watcher.advance("cell", 9)
    assert _done(tmp_path) == 2
    watcher.advance("cell", 10)
    assert _done(tmp_path) == 10


def test_last_word_is_written_when_the_run_falls(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), progress_file(tmp_path, Silent()) as watcher:
        watcher.begin("cell", 10)
        watcher.advance("cell", 7)
        raise RuntimeError
    assert _done(tmp_path) == 7
    assert [p.name for p in tmp_path.iterdir()] == ["progress.json"]


def test_resumed_run_keeps_its_first_beginning_and_starts_its_tasks_anew(tmp_path: Path) -> None:
    with progress_file(tmp_path, Silent()) as watcher:
        watcher.begin("first", 1)
    record = json.loads((tmp_path / "progress.json").read_text())
    (tmp_path / "progress.json").write_text(json.dumps(record | {"started": "2020-01-01T00:00:00+00:00"}))
    with progress_file(tmp_path, Silent()) as watcher:
        watcher.begin("second", 2)
        watcher.begin("second", 3)
    seen = read_progress(tmp_path)
    assert seen is not None
    assert seen.started == "2020-01-01T00:00:00+00:00"
    assert seen.resumed > "2020-01-02"
    assert [(t.name, t.total) for t in seen.tasks] == [("second", 3)]


def test_everything_is_passed_on(tmp_path: Path) -> None:
    heard: list[object] = []

    class Inner(Silent):
        def begin(self, task: str, total: int) -> None:
            heard.append((task, total))

        def advance(self, task: str, done: int, note: str = "") -> None:
            heard.append((task, done, note))

        def say(self, message: str) -> None:
            heard.append(message)

    with progress_file(tmp_path, Inner()) as watcher:
        watcher.begin("a", 2)
        watcher.advance("a", 1, "x")
        watcher.say("hello")
    assert heard == [("a", 2), ("a", 1, "x"), "hello"]


def test_old_messages_make_room(tmp_path: Path) -> None:
    with progress_file(tmp_path, Silent()) as watcher:
        for number in range(KEPT_MESSAGES + 5):
            watcher.say(str(number))
    seen = read_progress(tmp_path)
    assert seen is not None
    assert (seen.messages[0], len(seen.messages)) == ("5", KEPT_MESSAGES)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1, "process": {"pid": "x"}}'])
def test_damaged_file_says_that_it_can_be_deleted(text: str, tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text(text)
    with pytest.raises(RunDirError, match=r"progress\.json: damaged .* delete it"):
        read_progress(tmp_path)
    with progress_file(tmp_path, Silent()):  # a run starts it anew rather than not going on
        assert read_progress(tmp_path) is not None


def test_newer_file_and_missing_file(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text('{"format": 9}')
    with pytest.raises(RunDirError, match="newer Plures"):
        read_progress(tmp_path)


def _done(run: Path) -> int:
    seen = read_progress(run)
    assert seen is not None
    return seen.tasks[0].done
