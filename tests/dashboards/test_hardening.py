"""Empty, half-written, damaged, newer, hostile and many runs: a message in a sentence, and never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards.folders import Folders
from dashboards.registry import PAGES
from sim.errors import RunDirError
from sim.run_dir import RunDir
from tests.dashboards.broken_runs import DAMAGED, HALF_WRITTEN, HOSTILE_NAMES, UNREADABLE, Breakage, cells
from tests.dashboards.conftest import OpenPage

Spoil = Callable[[Breakage], Path]
FIRST_SEEN_ON = {
    "population cut": "agent",
    "cell.json without bindings": "agent",
    "database no SQLite": "network",
    "database cut": "stance",
    "ledger cut": "agent",
    "stance without columns": "stance",
    "measures without columns": "compare",
}
"""Damage → a page that reads what is damaged."""


@pytest.fixture
def spoil(finished_run: RunDir, tmp_path: Path) -> Iterator[Spoil]:
    """`spoil(breakage)`: a folder with a copy of a finished run that was spoilt."""

    def spoilt(breakage: Breakage) -> Path:
        folder = tmp_path / "given"
        shutil.copytree(finished_run.path, folder / "run")
        breakage(folder / "run")
        return folder

    yield spoilt
    st.cache_data.clear()


def messages(app: AppTest) -> list[str]:
    """What a page complains about; it never fails."""
    assert not app.exception, [shown.stack_trace for shown in app.exception]
    said = [shown.value.replace("\\", "") for shown in (*app.error, *app.warning, *app.info)]
    assert not any("Traceback" in text for text in said)
    return said


@pytest.mark.parametrize("name", HALF_WRITTEN)
def test_what_a_kill_leaves_is_shown_as_far_as_it_got(name: str, spoil: Spoil, open_page: OpenPage) -> None:
    folder = spoil(HALF_WRITTEN[name])
    for page in ("compare", "stance"):
        messages(open_page(page, folder))


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_run_is_refused_in_a_sentence_that_names_it(name: str, spoil: Spoil) -> None:
    folder = spoil(UNREADABLE[name])
    found = Folders([folder])
    assert found.run_names() == ["given/run"]
    with pytest.raises((RunDirError, IsADirectoryError), match="run"):
        found.run("given/run")


@pytest.mark.parametrize(("name", "page"), FIRST_SEEN_ON.items())
def test_a_damaged_file_is_told_where_it_is_read(
    name: str, page: str, spoil: Spoil, open_page: OpenPage
) -> None:
    assert messages(open_page(page, spoil(DAMAGED[name])))


@pytest.mark.slow
@pytest.mark.parametrize("name", {**HALF_WRITTEN, **UNREADABLE, **DAMAGED})
def test_every_page_survives(name: str, spoil: Spoil, open_page: OpenPage) -> None:
    folder = spoil({**HALF_WRITTEN, **UNREADABLE, **DAMAGED}[name])
    for page in PAGES:
        said = messages(open_page(page, folder))
        assert said or page in ("home", "control") or name not in UNREADABLE


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_folder_is_no_failure(page: str, open_page: OpenPage, tmp_path: Path) -> None:
    messages(open_page(page, tmp_path))


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_run_of_any_name_opens_by_its_address(
    name: str, open_page: OpenPage, finished_run: RunDir, tmp_path: Path
) -> None:
    shutil.copytree(finished_run.path, tmp_path / name)
    (address,) = Folders([tmp_path]).run_names()
    app = open_page("agent", tmp_path, run=address)
    assert not messages(app)
    assert not messages(open_page("home", tmp_path))


@pytest.mark.parametrize(
    "link", ["manifest.json", "cells", "cells/lora-n12-s0/platform.db", "population-n12.parquet"]
)
def test_a_link_out_of_the_folder_is_not_followed(
    link: str, open_page: OpenPage, finished_run: RunDir, tmp_path: Path
) -> None:
    folder, outside = tmp_path / "given", tmp_path / "outside"
    shutil.copytree(finished_run.path, folder / "run")
    shutil.copytree(finished_run.path, outside)
    place = folder / "run" / link
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    place.symlink_to(outside / link)
    app = open_page("network", folder)
    assert any("outside of the folders" in text for text in messages(app))


def test_a_link_within_the_folder_is_followed(
    open_page: OpenPage, finished_run: RunDir, tmp_path: Path
) -> None:
    shutil.copytree(finished_run.path, tmp_path / "run")
    database = cells(tmp_path / "run")[0] / "platform.db"
    database.rename(tmp_path / "kept.db")
    database.symlink_to(tmp_path / "kept.db")
    assert not messages(open_page("network", tmp_path))


def test_a_run_that_is_itself_a_link_out_is_not_listed(finished_run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "run").symlink_to(finished_run.path)
    found = Folders([tmp_path / "given"])
    assert found.run_names() == []
    with pytest.raises(RunDirError, match="outside"):
        found.run("given/run")


@pytest.mark.slow
def test_a_thousand_runs_are_listed(open_page: OpenPage, finished_run: RunDir, tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"run-{number:04}").mkdir()
        shutil.copy(finished_run.manifest_file, tmp_path / f"run-{number:04}" / "manifest.json")
    app = open_page("home", tmp_path)
    messages(app)
    assert any(len(table.value) == 1000 for table in app.dataframe)
