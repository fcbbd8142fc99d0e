"""Home: every run is listed, whatever its state; what is chosen can be gone to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.pages import home
from sim.progress import Silent
from sim.progress_file import ProgressFile
from sim.run_dir import RunDir
from tests.dashboards.conftest import OpenPage


@pytest.fixture
def runs(finished_run: RunDir, tmp_path: Path) -> Path:
    """Two finished runs, one that goes on in this process, and a damaged one."""
    for name in ("one", "two", "going"):
        shutil.copytree(finished_run.path, tmp_path / name)
    manifest = json.loads((tmp_path / "going" / "manifest.json").read_text())
    (tmp_path / "going" / "manifest.json").write_text(json.dumps(manifest | {"state": "running"}))
    watcher = ProgressFile(tmp_path / "going" / "progress.json", Silent())
    watcher.begin("shared_base-n12-s1", 4)
    next(tmp_path.glob("going/cells/shared_base-n12-s1/metrics.parquet")).unlink()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.json").write_text("{<script>")
    return tmp_path


def test_every_run_is_listed_with_its_state(runs: Path, open_page: OpenPage) -> None:
    app = open_page("home", runs)
    assert not app.exception
    table = app.dataframe[0].value
    root = runs.name
    assert dict(zip(table["run"], table["status"], strict=True)) == {
        f"{root}/one": "done",
        f"{root}/two": "done",
        f"{root}/going": "running",
        f"{root}/bad": "unreadable",
    }
    assert [round(100 * value) for value in table["progress"]] == [75, 100, 100, 0]
    assert "manifest" in app.warning[0].value
    assert "<script>" not in app.warning[0].value
    assert app.get("progress")[0].proto.value == 75
    assert any("Toy base" in caption.value for caption in app.caption)


def test_filters_leave_what_was_asked_for(runs: Path, open_page: OpenPage) -> None:
    app = open_page("home", runs, status="done")
    assert sorted(app.dataframe[0].value["run"]) == [f"{runs.name}/one", f"{runs.name}/two"]
    app.text_input(key="find").set_value("TWO").run()
    assert list(app.dataframe[0].value["run"]) == [f"{runs.name}/two"]
    app.text_input(key="find").set_value("no such run").run()
    assert not app.exception
    assert app.dataframe[0].value.empty


def test_headline_follows_the_chosen_measure(runs: Path, open_page: OpenPage) -> None:
    app = open_page("home", runs, measure="like_gini")
    found = app.dataframe[1].value
    assert sorted(found["run"]) == [f"{runs.name}/one", f"{runs.name}/two"]
    assert set(found["treatment"]) == {"lora"}


def test_ticked_runs_can_be_compared(
    runs: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ticking itself is tried in a browser; what follows from it is seen here."""
    monkeypatch.setattr(home, "pick_rows", lambda *_, **__: [0, 1])
    assert _doors(open_page("home", runs, status="done")) == {
        "Compare 2 runs": f"runs={runs.name}%2Fone%2C{runs.name}%2Ftwo"
    }
    monkeypatch.setattr(home, "pick_rows", lambda *_, **__: [0])
    assert _doors(open_page("home", runs, status="unreadable")) == {}
    one = open_page("home", runs, status="done")
    assert _doors(one)["Network"] == f"run={one.main.dataframe[0].value['run'][0].replace('/', '%2F')}"


def test_empty_folder_leads_to_the_first_run(tmp_path: Path, open_page: OpenPage) -> None:
    app = open_page("home", tmp_path)
    assert "No run below" in app.info[0].value
    assert app.main.get("page_link")[0].proto.page == "control"


def _doors(app: AppTest) -> dict[str, str]:
    return {link.proto.label: link.proto.query_string for link in app.main.get("page_link")}
