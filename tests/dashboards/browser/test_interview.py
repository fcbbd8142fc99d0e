"""An agent of a real run is asked a question on its page, and both voices answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.dashboards.browser.conftest import Visitor

pytestmark = pytest.mark.browser


def test_agent_answers_a_question(visitor: Visitor, real_runs: Path) -> None:
    """The engine is loaded by a process of the interview's own; what was said lies apart from the run."""
    page = visitor.page
    visitor.open("agent?run=runs/town&agent=0&show=interview")
    box = page.get_by_role("textbox", name="Question")
    box.fill("What do you think of the new harbour?")
    page.get_by_role("button", name="Ask").click()
    page.wait_for_url(re.compile("session="), timeout=120_000)
    visitor.settle()
    assert visitor.errors == []
    assert page.get_by_text("What do you think of the new harbour?").first.is_visible()
    visitor.picture("answered")
    assert list((real_runs / "town" / "interviews").iterdir())
