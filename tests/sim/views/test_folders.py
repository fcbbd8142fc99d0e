"""Runs, stores and scenarios are found where they are, and only there."""

from __future__ import annotations

from pathlib import Path

from sim.views.folders import DEPTH, find_runs, find_scenarios, find_stores


def _touch(*parts: Path) -> None:
    for file in parts:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_runs_are_found_at_every_depth_but_not_within_runs_or_stores(tmp_path: Path) -> None:
    _touch(
        tmp_path / "b" / "manifest.json",
        tmp_path / "b" / "cells" / "inner" / "manifest.json",
        tmp_path / "a" / "deep" / "run" / "manifest.json",
        tmp_path / "store" / "catalog.sqlite",
        tmp_path / "store" / "revisions" / "04" / "manifest.json",
        tmp_path / ".hidden" / "manifest.json",
    )
    assert find_runs(tmp_path) == [tmp_path / "a" / "deep" / "run", tmp_path / "b"]
    assert find_stores(tmp_path) == [tmp_path / "store"]


def test_root_may_be_a_run_itself(tmp_path: Path) -> None:
    _touch(tmp_path / "manifest.json")
    assert find_runs(tmp_path) == [tmp_path]


def test_search_ends_at_a_depth_and_follows_no_link(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    _touch(outside / "manifest.json", root.joinpath(*"abcdefg"[: DEPTH + 1]) / "manifest.json")
    (root / "link").symlink_to(outside)
    assert find_runs(root) == []
    assert find_runs(tmp_path / "nowhere") == []


def test_scenarios_lie_beside_runs(tmp_path: Path) -> None:
    _touch(tmp_path / "one.yaml", tmp_path / "more" / "two.yml", tmp_path / ".three.yaml", tmp_path / "x.txt")
    _touch(tmp_path / "run" / "manifest.json", tmp_path / "run" / "inside.yaml")
    assert find_scenarios(tmp_path) == [tmp_path / "more" / "two.yml", tmp_path / "one.yaml"]
