"""A run's texts beside the real ones of its people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sim.errors import RunDirError
from sim.people import gather
from sim.platform_tables import read_tables
from sim.run_dir import RunDir
from sim.run_texts import finished_cells, read_cell, read_real
from tests.sim.conftest import SMALL


def test_everything_written_after_the_seeds_is_there_once(small_run: RunDir) -> None:
    for cell in finished_cells(small_run):
        tables = read_tables(cell.database)
        own = tables.posts[(tables.posts["created_at"] > 0)]
        silent = own["original_post_id"].notna() & own["quote_content"].isna()
        written = int((~silent).sum()) + int((tables.comments["created_at"] > 0).sum())
        said = read_cell(small_run, cell).said
        assert len(said) == written
        assert said["step"].between(1, SMALL.simulation.steps).all()
        assert said["step"].is_monotonic_increasing


def test_authors_are_users_and_owners_follow_the_adapter(small_run: RunDir) -> None:
    users = set(small_run.read_population(8)["user_id"])
    for cell in finished_cells(small_run):
        said = read_cell(small_run, cell).said
        assert set(said["author"]) <= users
        match cell.key.condition:
            case "lora":
                assert (said["owner"] == said["author"]).all()
            case "permuted":
                assert said["owner"].isin(users).all()
                assert (said["owner"] != said["author"]).all()
            case _:
                assert said["owner"].isna().all()


def test_what_an_author_had_in_view_is_what_the_prompt_showed(small_run: RunDir) -> None:
    """Every comment replies to a post in view, and nobody sees more than the feed holds."""
    for cell in finished_cells(small_run):
        found = read_cell(small_run, cell)
        assert len(found.in_view) == len(found.said)
        assert all(len(view) <= SMALL.simulation.feed.size for view in found.in_view)
        replies = (found.said["kind"] == "comment").tolist()
        assert all(view for view, reply in zip(found.in_view, replies, strict=True) if reply)


def test_real_texts_are_the_split_of_the_corpus(small_run: RunDir) -> None:
    people = gather(SMALL)
    real = read_real(small_run)[8]
    for user_id, posts in real.train.groupby("author")["text"]:
        assert posts.tolist() == [post.text for post in people.splits[user_id].train]
    for user_id, posts in real.held_out.groupby("author")["text"]:
        assert posts.tolist() == [post.text for post in people.splits[user_id].held_out]
    assert real.train["author"].nunique() == 8


def test_a_lost_database_is_told_and_not_passed_over(small_run: RunDir, tmp_path: Path) -> None:
    run = RunDir.open(shutil.copytree(small_run.path, tmp_path / "run"))
    lost = finished_cells(run)[0]
    lost.database.unlink()
    assert [cell.key for cell in finished_cells(run)] == [cell.key for cell in finished_cells(small_run)]
    with pytest.raises(RunDirError, match="no such file"):
        read_cell(run, lost)


def test_a_corpus_that_has_changed_is_refused(small_run: RunDir, tmp_path: Path) -> None:
    shutil.copytree(small_run.path, tmp_path / "run")
    file = tmp_path / "run" / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["corpus"]["sha256"] = "0" * 64
    file.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(RunDirError, match="has changed since this run was made"):
        read_real(RunDir.open(tmp_path / "run"))
