"""The shell: the folder guard, the address, tables, charts, messages; and that the app loads no model."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboards.caching import path_stamps, tree_stamps
from dashboards.folders import VARIABLE, Folders
from dashboards.registry import PAGES
from dashboards.text import plain
from sim.cli.dashboard import VARIABLE as LAUNCHED_WITH
from sim.cli.dashboard import command
from sim.errors import RunDirError
from sim.run_dir import RunDir
from tests.dashboards.conftest import OpenPage


@pytest.fixture
def two_runs(finished_run: RunDir, tmp_path: Path) -> Path:
    """A folder with two runs, `one` and `two`."""
    for name in ("one", "two"):
        shutil.copytree(finished_run.path, tmp_path / "runs" / name)
    return tmp_path / "runs"


# The guard


def test_name_leads_to_its_path_and_back(two_runs: Path) -> None:
    found = Folders([two_runs])
    assert found.run_names() == ["runs/one", "runs/two"]
    assert found.path("runs/one") == two_runs / "one"
    assert found.name(two_runs / "one") == "runs/one"
    assert found.run("runs/one").state == "done"


@pytest.mark.parametrize(
    "name",
    [
        "runs/../secret",
        "runs/one/../../secret",
        "runs/%2E%2E/secret",
        "secret",
        "/etc",
        "",
        "runs/link/x",
        "runs/a\0b",
    ],
)
def test_no_name_leads_outside(name: str, two_runs: Path) -> None:
    (two_runs.parent / "secret").mkdir()
    (two_runs / "link").symlink_to(two_runs.parent / "secret")
    with pytest.raises(RunDirError):
        Folders([two_runs]).path(name)


def test_refusal_says_how_to_give_more_folders(two_runs: Path) -> None:
    with pytest.raises(RunDirError, match=r"outside of the folders .* plures dashboard DIR DIR"):
        Folders([two_runs]).guard(two_runs.parent / "other")


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for parent in "ab":
        (tmp_path / parent / "runs").mkdir(parents=True)
    found = Folders([tmp_path / "a" / "runs", tmp_path / "b" / "runs", tmp_path / "a" / "runs"])
    assert found.roots == {"runs": tmp_path / "a" / "runs", "runs-2": tmp_path / "b" / "runs"}


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1
    )
)
def test_every_folder_name_survives_a_list_of_names(parts: list[str]) -> None:
    """Names are joined with commas in addresses; whatever stands in a name, it comes back whole."""
    parts = [part for part in parts if part not in (".", "..") and len(part.encode()) < 200]
    root = Path("/nowhere/runs")
    found = Folders([root])
    name = found.name(root.joinpath(*parts))
    assert "," not in name
    assert found.path(name) == root.joinpath(*parts)


def test_guard_follows_links_of_the_root_itself(two_runs: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(two_runs)
    assert Folders([tmp_path / "alias"]).run_names() == ["runs/one", "runs/two"]


# The address


def _one_page(body: str) -> str:
    return (
        "import streamlit as st, pandas as pd, plotly.graph_objects as go\nfrom dashboards.shell import *\n"
        + body
    )


def _script(body: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **params: str) -> AppTest:
    monkeypatch.setenv(VARIABLE, json.dumps([str(folder)]))
    app = AppTest.from_string(_one_page(body), default_timeout=30)
    app.query_params.update(params)
    return app.run()


def test_address_decides_and_a_choice_changes_it(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _script("st.text(choose('n', 'N', [1, 2, 3]))", two_runs, monkeypatch, n="2")
    assert app.text[0].value == "2"
    app.selectbox(key="choose-n").set_value("3").run()
    assert (app.text[0].value, app.query_params["n"]) == ("3", "3")
    app.query_params["n"] = "1"
    assert app.run().text[0].value == "1"


def test_address_that_asks_for_what_is_not_there_is_told(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _script("st.text(choose('n', 'N', [1, 2], default=2))", two_runs, monkeypatch, n="[7](http://x)")
    assert app.text[0].value == "2"
    assert "is not here" in app.warning[0].value
    assert "](" not in app.warning[0].value


def test_run_of_the_address_is_opened(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _script("st.text(str(chosen_run().path))", two_runs, monkeypatch, run="runs/two")
    assert app.text[0].value == str(two_runs / "two")
    app.sidebar.selectbox[0].set_value("runs/one").run()
    assert app.text[0].value == str(two_runs / "one")
    assert app.query_params["run"] == "runs/one"


def test_run_that_finished_last_is_shown_where_none_was_chosen(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> str:
        return str(_script("st.text(chosen_run().path.name)", two_runs, monkeypatch).text[0].value)

    for name, age in (("one", 1), ("two", 2)):
        (two_runs / name / "report.html").write_text("")
        os.utime(two_runs / name / "report.html", (age, age))
    assert shown() == "two"
    (two_runs / "two" / "report.html").unlink()
    assert shown() == "one"


def test_part_of_a_page_stands_in_the_address(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "st.text(choose_part('part', {'a': 'First', 'b': 'Second'}))"
    assert _script(body, two_runs, monkeypatch).text[0].value == "a"
    assert _script(body, two_runs, monkeypatch, part="b").text[0].value == "b"
    lost = _script(body, two_runs, monkeypatch, part="c")
    assert (lost.text[0].value, lost.warning[0].value) == ("a", plain("Part c is not here. Showing First."))


def test_several_runs_come_from_the_address(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "st.text([r.path.name for r in chosen_runs()])"
    app = _script(body, two_runs, monkeypatch, runs="runs/two,runs/one,runs/three")
    assert app.text[0].value == "['two', 'one']"
    assert "runs/three" in app.warning[0].value.replace("\\", "")
    app.sidebar.multiselect[0].set_value(["runs/one"]).run()
    assert (app.text[0].value, app.query_params["runs"]) == ("['one']", "runs/one")
    assert _script(body, two_runs, monkeypatch).text[0].value == "['one']"


def test_link_takes_the_run_along(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "link('on', 'network', step='3')\nlink('off', 'compare', run='', runs='a,b')"
    app = _script(body, two_runs, monkeypatch, run="runs/one", other="x")
    on, off = (element.proto for element in app.get("page_link"))
    assert (on.page, on.query_string) == ("network", "run=runs%2Fone&step=3")
    assert off.query_string == "runs=a%2Cb"


# Messages


@pytest.mark.parametrize(
    "mishap",
    [
        "from sim.errors import RunDirError; raise RunDirError('![x](http://evil/x.png)')",
        "raise OSError('![x](http://evil/x.png)')",
        "import sqlite3; raise sqlite3.DatabaseError('![x](http://evil/x.png)')",
        "import pyarrow; raise pyarrow.ArrowInvalid('![x](http://evil/x.png)')",
    ],
)
def test_mishap_is_one_message_and_no_markup(
    mishap: str, two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _script(f"with page('Title', 'why?'):\n    {mishap}", two_runs, monkeypatch)
    assert not app.exception
    assert len(app.error) == 1
    assert "](" not in app.error[0].value
    assert "evil" in app.error[0].value


def test_empty_folder_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _script("with page('T', '?'):\n    chosen_run()", tmp_path, monkeypatch)
    assert "plures run SCENARIO" in app.error[0].value.replace("\\", "")


@given(st.text())
def test_plain_text_is_the_text_with_every_mark_escaped(text: str) -> None:
    """Without the escapes it is the text again; with them no mark that markdown knows is left bare."""
    text = text.replace("\u2060", "")  # what parts an address, so that it is no link
    shown = plain(text).replace("\u2060", "")
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", shown).split("  \n") == (text.splitlines() or [""])
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", shown)
    assert not re.search(r"[!-/:-@\[-`{-~]", bare)


# Tables and charts


def test_table_offers_its_csv_and_chart_its_words(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _script(
        "show_table(pd.DataFrame({'a': [1]}), 'things', help={'a': 'what'})\n"
        "show_chart(go.Figure(go.Scatter(x=[1], y=[2])), 'fig', 'One point at *2*.')",
        two_runs,
        monkeypatch,
    )
    pd.testing.assert_frame_equal(app.dataframe[0].value, pd.DataFrame({"a": [1]}))
    assert app.get("download_button")[0].proto.label == "CSV"
    chart = app.get("plotly_chart")[0].proto
    assert chart.alt == "One point at *2*."
    assert json.loads(chart.config)["toImageButtonOptions"]["filename"] == "fig"
    assert app.caption[0].value == plain("One point at *2*.")


def test_many_words_of_a_chart_are_folded_away_and_kept(
    two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "show_chart(go.Figure(go.Scatter(x=[1], y=[2])), 'fig', 'word ' * 100)"
    app = _script(body, two_runs, monkeypatch)
    assert app.expander[0].label == "The chart in words"
    assert app.expander[0].caption[0].value.startswith("word word")
    assert app.get("plotly_chart")[0].proto.alt.startswith("word word")


def test_charts_are_saved_in_the_chosen_format(two_runs: Path, open_page: OpenPage) -> None:
    app = open_page("home", two_runs)
    assert app.sidebar.button_group[0].value == "PNG"


# Stamps


def test_stamps_change_with_the_files_that_are_shown_and_with_no_others(two_runs: Path) -> None:
    run = two_runs / "one"
    before = tree_stamps(run)
    (run / "progress.json").write_text("{}")
    (run / ".lock").write_text("")
    assert tree_stamps(run) == before
    cell = next(run.glob("cells/*/ledger.parquet"))
    os.utime(cell, (1, 1))
    assert tree_stamps(run) != before
    assert path_stamps(run / "nothing") == [str(run / "nothing")]
    assert path_stamps(cell)[1:] == [10**9, cell.stat().st_size]


# The app as a whole


def test_pages_of_the_table_exist() -> None:
    for entry in PAGES.values():
        assert entry.title
        assert entry.icon.startswith(":material/")
        assert (Path(__file__).parents[2] / f"{entry.module.replace('.', '/')}.py").exists()


def test_launcher_binds_to_this_machine_and_tells_nobody() -> None:
    words = command("127.0.0.1", 8501, browser=False)
    assert Path(words[4]).exists()
    assert {
        "--server.address=127.0.0.1",
        "--browser.gatherUsageStats=false",
        "--server.headless=true",
    } <= set(words)
    assert LAUNCHED_WITH == VARIABLE


def test_app_loads_no_model_library(two_runs: Path) -> None:
    """Home and Live control are drawn in a new process; torch and its kin never come in."""
    code = f"""
import json, os, sys
os.environ[{VARIABLE!r}] = json.dumps([{str(two_runs)!r}])
from streamlit.testing.v1 import AppTest
for name in ("home", "control"):
    at = AppTest.from_string(f"from dashboards.app import main; main({{name!r}})", default_timeout=60).run()
    assert not at.exception and not at.error, (name, at.exception, at.error)
print(json.dumps(sorted({{"torch", "transformers", "oasis", "sklearn", "openai"}} & set(sys.modules))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
