"""A run whose every text is hostile, in a real browser: nothing runs, nothing is loaded, no page is left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dashboards.browsing import HEIGHT, HOST, WIDTH, served, settle
from dashboards.registry import PAGES
from sim.run_dir import RunDir
from tests.dashboards.broken_runs import hostile_texts

pytestmark = pytest.mark.browser


def test_hostile_texts_do_nothing(browser: Browser, finished_run: RunDir, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    shutil.copytree(finished_run.path, folder / "run")
    hostile_texts(folder / "run")
    asked: set[str] = set()
    dialogs: list[str] = []
    with served([folder], tmp_path / "server.log") as url:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.on("request", lambda sent: asked.add(sent.url))
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        for name in PAGES:
            page.goto(f"{url}/{name}")
            settle(page)
            assert page.locator('[data-testid="stException"]').count() == 0
            main = page.locator('[data-testid="stMain"]')
            assert main.locator("img[src*='203.0.113'], img[src='x'], script, iframe").count() == 0
            assert main.locator("a[href*='203.0.113'], a[href^='javascript']").count() == 0
            assert main.locator(".katex").count() == 0
            assert page.title() != "owned"
    assert dialogs == []
    assert not [
        address
        for address in asked
        if "://" in address and not address.startswith(url) and HOST not in address
    ]
