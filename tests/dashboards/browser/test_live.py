"""A run started, stopped and resumed with the mouse."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from sim.control import stop
from sim.run_dir import open_run
from tests.dashboards.browser.conftest import Visitor

pytestmark = pytest.mark.browser
SCENARIO = """\
name: clicked
corpus: {users: 8, posts_per_user: 10}
population: {size: 6, train_posts: 6, held_out_posts: 2}
follow_graph: {mean_degree: 2}
adapters: {epochs: 1}
conditions: [shared_base, zero]
seeds: [0]
simulation: {steps: 400, seed_posts: 4, feed: {size: 2}, sampling: {max_new_tokens: 24}}
compare: {treatment: zero, control: shared_base}
"""


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test(real_runs: Path) -> Iterator[None]:
    yield
    if (real_runs / "clicked.process.json").exists():
        stop(real_runs / "clicked", patience=30)


def test_run_is_started_stopped_and_resumed(visitor: Visitor, real_runs: Path) -> None:
    page = visitor.page
    visitor.open("control")
    page.locator('[data-testid="stButtonGroup"]').get_by_text("Start a run").click()
    visitor.settle()
    box = page.get_by_role("textbox", name="Scenario (YAML)")
    box.fill(SCENARIO.replace("size: 6", "size: 0"))
    box.press("Control+Enter")
    page.get_by_text("expected distinct whole numbers").wait_for()
    visitor.picture("mistake")
    box.fill(SCENARIO)
    box.press("Control+Enter")
    page.get_by_role("button", name="Start", exact=False).last.wait_for()
    visitor.settle()
    visitor.picture("desk")
    page.get_by_role("button", name=re.compile(r"Start$")).last.click()
    page.wait_for_url(re.compile(r"run=runs(%2F|/)clicked"))

    _stage(page, "running")
    page.get_by_text(re.compile(r"shared_base-n6-s0: [1-9]\d* of 400")).wait_for(timeout=90_000)
    visitor.picture("running")
    page.get_by_role("button", name="Stop").click()
    _stage(page, "interrupted")
    assert open_run(real_runs / "clicked").state == "interrupted"
    visitor.picture("stopped")

    page.get_by_role("button", name="Resume").click()
    _stage(page, "running")
    page.get_by_role("button", name="Stop").click()
    _stage(page, "interrupted")


def _stage(page: Page, word: str) -> None:
    begun = time.monotonic()
    page.get_by_text(re.compile(rf"clicked: {word}\.")).wait_for(timeout=90_000)
    assert time.monotonic() - begun < 90
