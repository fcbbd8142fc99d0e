"""The dashboard in a browser without a screen: for screenshots, for browser tests and for benchmarks."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sim.errors import SimError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTH, HEIGHT = 1280, 720
"""The smallest screen that the dashboard is made for."""
HOST = "127.0.0.1"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_COMMAND = "from sim.cli.app import main; main()"
_START_SECONDS = 60.0
_SETTLE_MS = 60_000
_IDLE = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.getAttribute('data-test-script-state') === 'notRunning'
      && document.querySelector('h1') && !document.querySelector('[data-testid="stSkeleton"]');
}"""


def chromium_path() -> str | None:
    """Where this machine's Chromium is; None when it has none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def served(folders: Sequence[Path], log: Path) -> Iterator[str]:
    """The dashboard over some folders, as `plures dashboard` starts it, for as long as the block lasts.

    Args:
        folders: which it may read.
        log: file for what the server prints.

    Yields:
        Its address, such as `http://127.0.0.1:40123`.

    Raises:
        SimError: when it does not answer; with the end of its log.
    """
    port = _free_port()
    words = ["dashboard", *map(str, folders), "--port", str(port), "--no-browser"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            _wait(f"http://{HOST}:{port}/_stcore/health", server, log)
            yield f"http://{HOST}:{port}"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def chromium() -> Iterator[Browser]:
    """This machine's Chromium, without a screen.

    Raises:
        SimError: when there is none.
    """
    from playwright.sync_api import sync_playwright

    path = chromium_path()
    if path is None:
        raise SimError(
            "No Chromium found. Install it: apt-get install chromium (`make test-dashboard` does so)."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def settle(page: Page) -> None:
    """Wait until Streamlit has drawn everything; charts get a moment to appear.

    Args:
        page: on any page of the dashboard.
    """
    page.wait_for_function(_IDLE, timeout=_SETTLE_MS)
    page.wait_for_timeout(400)
    page.wait_for_function(_IDLE, timeout=_SETTLE_MS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < limit:
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise SimError(f"The dashboard did not start. Its log ends: {log.read_text('utf-8', 'replace')[-2000:]}")
