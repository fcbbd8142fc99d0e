"""The pages of the dashboard: one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One page.

    Args:
        title: in the menu.
        icon: a symbol of the font that Streamlit ships.
        module: has `render() -> None`; loaded when the page is first opened.
    """

    title: str
    icon: str
    module: str

    def render(self) -> None:
        """Load the page's module and draw it."""
        draw: Callable[[], Any] = import_module(self.module).render
        draw()


PAGES: dict[str, Entry] = {
    "home": Entry("Runs", ":material/home:", "dashboards.pages.home"),
    "compare": Entry("Compare", ":material/compare_arrows:", "dashboards.pages.compare"),
    "network": Entry("Network", ":material/hub:", "dashboards.pages.network"),
    "agent": Entry("Agent", ":material/person:", "dashboards.pages.agent"),
    "stance": Entry("Stance & cascades", ":material/ssid_chart:", "dashboards.pages.stance"),
    "adapters": Entry("Adapters", ":material/account_tree:", "dashboards.pages.adapters"),
    "lab": Entry("Lab", ":material/science:", "dashboards.pages.lab"),
    "control": Entry("Live control", ":material/play_circle:", "dashboards.pages.control"),
}
"""Name → page, in the order of the menu; the name is its path in the address."""
