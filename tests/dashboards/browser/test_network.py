"""An agent is clicked in the network: its card appears, and the address names it from then on."""

from __future__ import annotations

import pytest

from tests.dashboards.browser.conftest import Visitor

pytestmark = pytest.mark.browser

_A_POINT = """() => {
    const chart = document.querySelector('.js-plotly-plot'), place = chart.getBoundingClientRect()
    const trace = chart._fullData.find(trace => trace.customdata), {xaxis, yaxis} = chart._fullLayout
    return [
        place.x + xaxis._offset + xaxis.c2p(trace.x[0]), place.y + yaxis._offset + yaxis.c2p(trace.y[0]),
        trace.customdata[0],
    ]
}"""
"""Where the first agent of the first group is on the screen, and its id."""


def test_clicked_agent_has_a_card_and_an_address(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("network?run=runs/town&relation=follow")
    page.wait_for_selector(".js-plotly-plot .gl-container canvas", state="attached")
    x, y, agent = page.evaluate(_A_POINT)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_url(f"**agent={agent}*")
    visitor.settle()
    assert visitor.errors == []
    page.get_by_role("link", name="All about").click()
    page.wait_for_url(f"**/agent?*agent={agent}*")
    visitor.settle()
    assert visitor.errors == []
