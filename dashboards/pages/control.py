"""Live control: start a run, watch it, stop it, go on with it."""

from __future__ import annotations

from dashboards.run_watch import watch
from dashboards.scenario_desk import desk
from dashboards.shell import choose_part, page

WATCH, START = "Watch", "Start a run"


def render() -> None:
    """Draw the page."""
    with page("Live control", "What is running, and what shall run next?"):
        if choose_part("do", {WATCH: WATCH, START: START}) == START:
            desk()
        else:
            watch()
