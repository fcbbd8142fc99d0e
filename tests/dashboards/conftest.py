"""Pages opened in a test, without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.scripted_runs import finish, scenario, simulate, take_measures
from dashboards.folders import VARIABLE
from sim.run_dir import RunDir

OpenPage = Callable[..., AppTest]


def _app(first: str) -> None:
    from dashboards.app import main

    main(first)


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """`open_page(name, folder, **params)`: the page over a folder, or several, with a query; already run once.

    The whole app is drawn as in a browser, its menu included. Interact with what comes back and `.run()` it again.
    """

    def opened(name: str, folder: Path | list[Path], **params: str) -> AppTest:
        given = folder if isinstance(folder, list) else [folder]
        monkeypatch.setenv(VARIABLE, json.dumps([str(path) for path in given]))
        app = AppTest.from_function(_app, args=(name,), default_timeout=30)
        app.query_params.update(params)
        return app.run()

    return opened


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A finished run without a model: 12 people, 2 conditions, 2 seeds, 3 steps. Copy it before changing it."""
    run = RunDir(tmp_path_factory.mktemp("finished") / "scripted")
    take_measures(run, *simulate(run, scenario(12, 3, ["lora", "shared_base"], [0, 1])))
    finish(run)
    return run
