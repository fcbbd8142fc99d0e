"""Interviews on the shipped base: the only ones here that load it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.errors import InterviewError
from sim.interview import Studio
from sim.run_dir import RunDir


def test_a_real_base_answers_the_same_every_time(own_run: RunDir, small_store: Path) -> None:
    def ask() -> list[tuple[str, str | None]]:
        with Studio.open(own_run, small_store) as studio:
            assert studio.base["toy"]
            held = studio.interview(2, also=["permuted"], form="post", max_new_tokens=40)
            return [(a.text, a.error) for q in ("Who?", "Why?") for a in held.ask(q).answers]

    first = ask()
    assert len(first) == 6
    assert all(text and error is None for text, error in first)
    assert ask() == first


def test_a_store_without_the_runs_adapters_is_refused_before_anything_is_loaded(
    own_run: RunDir, tmp_path: Path
) -> None:
    with pytest.raises(InterviewError, match=r"lacks \d+ of the run's \d+ adapters\. Name the store"):
        Studio.open(own_run, tmp_path / "elsewhere")


def test_another_base_than_the_runs_is_refused(own_run: RunDir, small_store: Path) -> None:
    manifest = json.loads(own_run.manifest_file.read_text("utf-8"))
    manifest["base"]["fingerprint"] = "0" * 64
    own_run.manifest_file.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(InterviewError, match="its adapters do not fit"):
        Studio.open(own_run.path, small_store)
