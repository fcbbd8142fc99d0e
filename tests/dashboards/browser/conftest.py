"""The dashboard in headless Chromium, over a real run on the shipped base. Pictures are kept under out/dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from dashboards.browsing import HEIGHT, HOST, WIDTH, chromium, chromium_path, served, settle
from sim.experiment import run_experiment
from sim.scenario import Scenario

PICTURES = Path(__file__).parents[3] / "out" / "dashboard"
REAL = Scenario.model_validate(
    {
        "name": "town",
        "corpus": {"users": 14, "posts_per_user": 24},
        "population": {"size": 12, "train_posts": 16, "held_out_posts": 3},
        "follow_graph": {"mean_degree": 4},
        "adapters": {"epochs": 1, "learning_rate": 0.01},
        "conditions": ["lora", "shared_base"],
        "seeds": [0, 1],
        "simulation": {"steps": 4, "seed_posts": 6, "feed": {"size": 4}},
    }
)


@pytest.fixture(scope="session")
def real_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `runs` with one finished run, `town`, and the store that holds its adapters."""
    folder = tmp_path_factory.mktemp("browser") / "runs"
    run_experiment(REAL, folder / "town", store=folder / "store")
    return folder


@pytest.fixture(scope="session")
def dashboard(real_runs: Path) -> Iterator[str]:
    """Address of a dashboard over `real_runs`."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with served([real_runs], PICTURES / "server.log") as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    if chromium_path() is None:
        pytest.skip("no Chromium here: make test-dashboard installs it")
    with chromium() as started:
        yield started


class Visitor:
    """A tab that looks at the dashboard as a person does.

    Args:
        page: of the browser.
        url: of the dashboard.
        name: of the test, for its pictures.
    """

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page, self.url, self._name = page, url, name

    def open(self, address: str) -> None:
        """Go to an address of the dashboard and wait until it is drawn."""
        self.page.goto(f"{self.url}/{address}")
        self.settle()

    def settle(self) -> None:
        """Wait until the page is drawn, and see that it shows no traceback."""
        settle(self.page)
        assert self.page.locator('[data-testid="stException"]').all_inner_texts() == []

    def picture(self, what: str) -> None:
        """Keep a picture of what is seen."""
        self.page.screenshot(path=PICTURES / f"{self._name}-{what}.png")

    @property
    def errors(self) -> list[str]:
        """Messages on the page."""
        return self.page.locator('[data-testid="stAlertContentError"]').all_inner_texts()


@pytest.fixture
def visitor(browser: Browser, dashboard: str, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A new tab; when the test ends, nothing may have been asked of any other machine."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    hosts = set()
    page.on(
        "request", lambda sent: hosts.add(sent.url.split("/")[2].split(":")[0]) if "://" in sent.url else None
    )
    visitor = Visitor(page, dashboard, request.node.name.partition("[")[0].removeprefix("test_"))
    yield visitor
    visitor.picture("end")
    page.close()
    assert hosts <= {HOST}
