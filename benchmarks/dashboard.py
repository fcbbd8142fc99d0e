"""The dashboard in a browser: first paint, every page, interactions and memory, on a run of 512 agents.

A scripted run (`benchmarks/scripted_runs.py`) is looked at in headless Chromium. Each round starts a server and a
browser of its own: *cold* is the first look at a page, *warm* the second, when the server's views are computed and the
browser has the app; a *new browser* finds only the former. A page is painted when its script is through and every chart
in it is drawn. A Streamlit page with nothing but a heading is timed in every round: what no dashboard on Streamlit can
go below.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import URLError

from benchmarks.harness import REPEATS, Case, Figure, Goal, Results, main
from benchmarks.scripted_runs import finish, scenario, simulate, take_measures
from dashboards.browsing import HEIGHT, HOST, WIDTH, chromium, chromium_path
from dashboards.registry import PAGES
from sim.cli.dashboard import command, environment_of
from sim.run_dir import RunDir

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

GOAL_PAINT, GOAL_INTERACTION, GOAL_MEGABYTES = 3.0, 1.0, 1000.0
_PATIENCE = 120_000  # ms
_REST = 500  # ms: a person looks before acting
_PAINTED = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    const charts = [...document.querySelectorAll('[data-testid=stPlotlyChart]')];
    return app?.dataset.testScriptState === 'notRunning' && document.querySelector('h1')
        && !document.querySelector('[data-testid=stSkeleton]')
        && charts.every(chart => chart.querySelector('.main-svg'));
}"""
_TEXT = "document.querySelector('[data-testid=stMain]').innerText"


class Server(NamedTuple):
    """A running app."""

    url: str
    process: subprocess.Popen[bytes]

    def peak_megabytes(self) -> float:
        """The most memory that the process has held; NaN where the system does not tell."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
        return int(found[1]) / 1000 if found else float("nan")


@contextmanager
def serving(line: Callable[[int], list[str]], environment: dict[str, str]) -> Iterator[Server]:
    """Start an app on a free port, wait until it answers, stop it at the end.

    Args:
        line: port → command line.
        environment: added to this process's.
    """
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        line(port), env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://{HOST}:{port}"
    try:
        while not _healthy(url):
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode}")
            time.sleep(0.1)
        yield Server(url, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False


def paint(browser: BrowserContext, url: str) -> float:
    """Seconds until a new tab has drawn a page."""
    page = browser.new_page()
    try:
        start = time.perf_counter()
        page.goto(url)
        page.wait_for_function(_PAINTED, timeout=_PATIENCE)
        return time.perf_counter() - start
    finally:
        page.close()


def interact(browser: BrowserContext, url: str, act: Callable[[Page], None]) -> float:
    """Seconds from an act on a painted page until other words stand there and all is drawn again."""
    page = browser.new_page()
    try:
        page.goto(url)
        page.wait_for_function(_PAINTED, timeout=_PATIENCE)
        page.wait_for_timeout(_REST)
        before = page.evaluate(_TEXT)
        start = time.perf_counter()
        act(page)
        page.wait_for_function(f"before => {_TEXT} !== before", arg=before, timeout=_PATIENCE)
        page.wait_for_function(_PAINTED, timeout=_PATIENCE)
        return time.perf_counter() - start
    finally:
        page.close()


def other_measures(page: Page) -> None:
    """Choose another group of measures; opening the list counts as well."""
    page.get_by_role("combobox", name="Measures of").click()
    page.get_by_role("option").nth(1).click()


def step_back(page: Page) -> None:
    """Move the slider one step back."""
    page.get_by_role("slider").press("ArrowLeft")


INTERACTIONS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "other measures on Compare": ("compare", other_measures),
    "another step on Stance": ("stance", step_back),
    "another step on Network": ("network", step_back),
}
"""What is done → on which page, how."""


def look(browser: Browser, folder: Path, rounds: int = REPEATS) -> dict[str, list[float]]:
    """Everything that is measured, by name, in rounds that start anew.

    Args:
        browser: headless.
        folder: with one run.
        rounds: at least 3 for a result.
    """
    measured: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        measured.setdefault(name, []).append(value)

    bare = folder / "bare.py"
    bare.write_text("import streamlit as st\nst.title('bare')\n")
    for _ in range(rounds):
        with _visitor(browser) as visitor, serving(lambda port: _bare(bare, port), {}) as server:
            note("bare Streamlit page, cold, seconds", paint(visitor, server.url))
            note("bare Streamlit page, warm, seconds", paint(visitor, server.url))
        app = serving(lambda port: command(HOST, port, browser=False), environment_of([folder]))
        with _visitor(browser) as visitor, app as server:
            note("first paint of Compare, cold, seconds", paint(visitor, f"{server.url}/compare"))
            note("first paint of Compare, warm, seconds", paint(visitor, f"{server.url}/compare"))
            with _visitor(browser) as stranger:
                note(
                    "first paint of Compare, new browser, seconds",
                    paint(stranger, f"{server.url}/compare"),
                )
            for name in PAGES:
                if name != "compare":
                    url = server.url if name == "home" else f"{server.url}/{name}"
                    note(f"{name}, cold, seconds", paint(visitor, url))
                    note(f"{name}, warm, seconds", paint(visitor, url))
            for name, (where, act) in INTERACTIONS.items():
                note(f"{name}, first time, seconds", interact(visitor, f"{server.url}/{where}", act))
                note(f"{name}, again, seconds", interact(visitor, f"{server.url}/{where}", act))
            note("peak memory of the server, MB", server.peak_megabytes())
    return measured


@contextmanager
def _visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own, with nothing in its caches."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    try:
        yield context
    finally:
        context.close()


def _bare(script: Path, port: int) -> list[str]:
    line = command(HOST, port, browser=False)
    return [*line[: line.index("run") + 1], str(script), *line[line.index("run") + 2 :]]


def results_of(measured: dict[str, list[float]], setting: dict[str, int]) -> Results:
    """One case and the goals; an interaction is judged by its first time, when nothing is computed yet."""
    figures = {name: Figure.of(values) for name, values in measured.items()}
    promised = {
        "first paint of Compare, warm, seconds": GOAL_PAINT,
        **{f"{act}, first time, seconds": GOAL_INTERACTION for act in INTERACTIONS},
        "peak memory of the server, MB": GOAL_MEGABYTES,
    }
    goals = [Goal(name, figures[name].median, most, at_least=False) for name, most in promised.items()]
    return Results([Case("a comparison in the browser", setting, figures)], goals)


def measure(quick: bool) -> Results:
    """Make the run, then look at it."""
    agents, steps, seeds = (32, 4, 2) if quick else (512, 30, 3)
    if chromium_path() is None:
        raise SystemExit("No Chromium here, so nothing was measured. Install it: apt-get install chromium")
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        run = RunDir(Path(folder) / "run")
        plan = scenario(agents, steps, ["lora", "shared_base"], list(range(seeds)))
        take_measures(run, *simulate(run, plan))
        finish(run)
        measured = look(browser, Path(folder))
    setting = {"agents": agents, "steps": steps, "conditions": 2, "seeds": seeds}
    return results_of(measured, setting)


if __name__ == "__main__":
    sys.exit(main("Dashboard: first paint, pages, interactions and memory in a browser", measure))
