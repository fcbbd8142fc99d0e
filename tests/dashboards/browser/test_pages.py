"""Each page on a real run, in a real browser: drawn without a traceback, clicked through, its address kept."""

from __future__ import annotations

import re

import pytest

from dashboards.registry import PAGES
from tests.dashboards.browser.conftest import Visitor

pytestmark = pytest.mark.browser
RUN = "runs/town"
CSV = '[data-testid="stDownloadButton"] button'
"""Our own buttons: Streamlit's toolbar, which shows above a table under the mouse, has another."""


@pytest.mark.parametrize("name", PAGES)
def test_page_is_drawn_on_a_real_run(name: str, visitor: Visitor) -> None:
    """At 1280×720 nothing is scrolled sideways; charts are named for screen readers, tables have their CSV."""
    visitor.open(f"{name}?run={RUN}")
    assert visitor.errors == []
    page = visitor.page
    assert page.locator("h1").first.is_visible()
    wide, seen = page.evaluate(
        "() => { const m = document.querySelector('[data-testid=\"stMain\"]'); return [m.scrollWidth, m.clientWidth] }"
    )
    assert wide <= seen
    charts = page.locator('[data-testid="stPlotlyChart"]')
    for number in range(charts.count()):
        assert charts.nth(number).locator("xpath=descendant-or-self::*[@aria-label]").count()
    tables = page.locator('[data-testid="stDataFrame"]').count()
    assert page.locator(CSV, has_text="CSV").count() >= tables
    visitor.picture(name)


def test_menu_takes_the_run_along(visitor: Visitor) -> None:
    visitor.open(f"network?run={RUN}")
    visitor.page.locator('[data-testid="stSidebar"]').get_by_role("link", name="Agent").click()
    visitor.page.wait_for_url(re.compile(r"/agent\?run=runs(%2F|/)town"))
    visitor.settle()
    visitor.page.go_back()
    visitor.page.wait_for_url(re.compile(r"/network\?run=runs(%2F|/)town"))
    visitor.settle()


def test_run_is_ticked_and_gone_to(visitor: Visitor) -> None:
    """The table is a canvas: its first box is clicked where it is drawn."""
    visitor.open("")
    table = visitor.page.locator('[data-testid="stDataFrame"]').first
    table.click(position={"x": 16, "y": 52})
    visitor.settle()
    visitor.page.get_by_role("link", name="Compare conditions").click()
    visitor.page.wait_for_url(re.compile(r"/compare\?run=runs(%2F|/)town"))
    visitor.settle()
    assert visitor.errors == []


def test_chart_is_saved_as_png_and_as_svg_by_the_browser(visitor: Visitor) -> None:
    visitor.open(f"compare?run={RUN}")
    page = visitor.page
    for kind in ("PNG", "SVG"):
        page.locator('[data-testid="stSidebar"]').get_by_text(kind, exact=True).click()
        visitor.settle()
        chart = page.locator('[data-testid="stPlotlyChart"]').first
        chart.scroll_into_view_if_needed()
        chart.hover()
        with page.expect_download() as saved:
            chart.locator('[data-title^="Download plot"]').first.click(force=True)
        assert saved.value.suggested_filename.endswith(f".{kind.lower()}")


def test_table_is_saved_as_csv(visitor: Visitor) -> None:
    visitor.open("")
    with visitor.page.expect_download() as saved:
        visitor.page.locator(CSV).first.click()
    text = saved.value.path().read_text("utf-8")
    assert saved.value.suggested_filename == "runs.csv"
    assert RUN in text


def test_address_that_leads_outside_is_refused(visitor: Visitor) -> None:
    visitor.open("network?run=runs/../../etc")
    visitor.page.get_by_text(re.compile("is not here")).first.wait_for()
