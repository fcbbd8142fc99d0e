"""Live control: the command's own errors, and runs that are watched, stopped and resumed from the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dashboards import run_watch, scenario_desk
from sim.control import RunView
from sim.progress import Silent
from sim.progress_file import ProgressFile, read_progress
from sim.run_dir import RunDir
from sim.scenario import Scenario
from tests.dashboards.conftest import OpenPage

START = {"do": "Start a run"}


def test_desk_begins_with_a_scenario_that_is_valid(tmp_path: Path, open_page: OpenPage) -> None:
    app = open_page("control", tmp_path, **START)
    assert not app.exception
    assert not app.error
    assert app.button[-1].label == "Start"


def test_mistake_in_the_text_is_the_commands_own_message(tmp_path: Path, open_page: OpenPage) -> None:
    app = open_page("control", tmp_path, **START)
    app.text_area[0].set_value("name: x\nseedz: [3]\n").run()
    assert (
        app.error[0]
        .value.replace("\\", "")
        .endswith("scenario.yaml:2: seedz: unknown key. Did you mean seeds?")
    )
    assert not app.button


def test_form_wins_over_the_text(
    tmp_path: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[Scenario, Path, str, Path]] = []

    def start(scenario: Scenario, folder: Path, name: str, *, store: Path) -> RunView:
        begun.append((scenario, folder, name, store))
        (folder / f"{name}.process.json").write_text('{"pid": 1, "started": 0, "host": "elsewhere"}')
        return RunView(folder / name, "starting", None, (), None, resumable=False)

    monkeypatch.setattr(scenario_desk, "start", start)
    app = open_page("control", tmp_path, **START)
    _named(app.number_input, "Steps").set_value(3)
    _named(app.text_input, "People (N)").set_value("[8, 12]")
    app.multiselect[0].set_value(["lora", "shared_base", "zero"])
    _named(app.text_input, "Name of the run").set_value("mine").run()
    _named(app.button, "Start").click().run()
    assert not app.exception
    scenario, folder, name, store = begun[0]
    assert (scenario.simulation.steps, scenario.population.size) == (3, (8, 12))
    assert scenario.conditions == ("lora", "shared_base", "zero")
    assert (folder, name, store) == (tmp_path, "mine", tmp_path / "store")
    assert app.query_params == {"run": f"{tmp_path.name}/mine"}


def test_scenario_may_not_name_files_outside_of_the_folders(tmp_path: Path, open_page: OpenPage) -> None:
    (tmp_path / "inside.yaml").write_text("name: x\ncorpus: {kind: file, path: ../outside.csv}\n")
    app = open_page("control", tmp_path, **START, **{"from": f"{tmp_path.name}/inside.yaml"})
    message = app.error[0].value.replace("\\", "")
    assert message.startswith("corpus.path: ")
    assert "outside of the folders" in message


def test_bad_name_is_refused_before_anything_is_written(tmp_path: Path, open_page: OpenPage) -> None:
    app = open_page("control", tmp_path, **START)
    _named(app.text_input, "Name of the run").set_value("../out").run()
    _named(app.button, "Start").click().run()
    assert "is no name for a run" in app.error[0].value
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def going(finished_run: RunDir, tmp_path: Path) -> Path:
    """A run that goes on in this very process."""
    run = tmp_path / "runs" / "going"
    shutil.copytree(finished_run.path, run)
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"state": "running"}))
    watcher = ProgressFile(run / "progress.json", Silent())
    for number in range(10):
        watcher.begin(f"cell-{number}", 4)
        watcher.advance(f"cell-{number}", 4)
    watcher.begin("<b>cell</b>", 4)
    watcher.say("![x](http://evil/x.png)")
    (tmp_path / "runs" / "going.log").write_text("first line\n<script>\n")
    return run


def test_run_that_goes_on_is_watched_and_stopped(
    going: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(run_watch, "stop", asked.append)
    app = open_page("control", going.parent)
    assert not app.exception
    bars = [bar.proto.text.replace("\\", "") for bar in app.get("progress")]
    assert len(bars) == run_watch.KEPT_TASKS
    assert bars[-1] == "<b>cell</b>: 0 of 4"
    assert app.text[0].value == "![x](http://evil/x.png)"
    assert app.code[0].value == "first line\n<script>"
    _named(app.button, "Stop").click().run()
    assert asked == [going]


def test_run_whose_process_is_gone_can_be_resumed(
    going: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = read_progress(going)
    assert progress is not None
    record = json.loads((going / "progress.json").read_text())
    record["process"]["started"] -= 1000
    (going / "progress.json").write_text(json.dumps(record))
    asked: list[tuple[Path, Path]] = []
    monkeypatch.setattr(run_watch, "resume", lambda out, *, store: asked.append((out, store)))
    app = open_page("control", going.parent)
    assert "died" in app.markdown[0].value
    _named(app.button, "Resume").click().run()
    assert asked == [(going, going.parent / "store")]


def test_nothing_is_written_beside_a_folder_that_is_the_run_itself(going: Path, open_page: OpenPage) -> None:
    record = json.loads((going / "progress.json").read_text())
    record["process"]["started"] -= 1000
    (going / "progress.json").write_text(json.dumps(record))
    app = open_page("control", going)
    _named(app.button, "Resume").click().run()
    assert "outside of the dashboard's folders" in app.error[0].value.replace("\\", "")


def test_every_stage_has_its_words() -> None:
    from typing import get_args

    from sim.control import Stage

    stages = {word for part in get_args(Stage) for word in (get_args(part) or (part,))}
    assert stages - set(run_watch.MEANING) == {"unreadable"}


def _named(widgets, label):  # type: ignore[no-untyped-def]
    return next(widget for widget in widgets if widget.label == label)
