"""The benchmark of the dashboard judges what was promised, and stops the servers that it starts."""

from __future__ import annotations

import sys
import urllib.request
from urllib.error import URLError

import pytest

from benchmarks.dashboard import INTERACTIONS, results_of, serving
from dashboards.registry import PAGES

SERVE = (
    "import http.server, sys\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self): self.send_response(200); self.end_headers()\n"
    "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()\n"
)


def test_a_missed_promise_is_missed() -> None:
    measured = {
        "first paint of Compare, warm, seconds": [2.0, 2.5, 9.0],
        "peak memory of the server, MB": [1200.0, 1100.0, 900.0],
        **{f"{name}, first time, seconds": [0.5, 0.6, 0.7] for name in INTERACTIONS},
    }
    goals = {goal.name: goal for goal in results_of(measured, {"agents": 8}).goals}
    assert goals["first paint of Compare, warm, seconds"].met  # the median, 2.5 s
    assert not goals["peak memory of the server, MB"].met
    assert len(goals) == 2 + len(INTERACTIONS)


def test_interactions_are_on_pages_that_exist() -> None:
    assert {page for page, _ in INTERACTIONS.values()} <= PAGES.keys()


def test_a_server_answers_while_it_is_used_and_is_gone_afterwards() -> None:
    with serving(lambda port: [sys.executable, "-c", SERVE, str(port)], {}) as server:
        assert server.process.poll() is None
        assert server.peak_megabytes() > 1
    assert server.process.returncode is not None
    with pytest.raises(URLError):
        urllib.request.urlopen(server.url, timeout=1)


def test_a_server_that_ends_at_once_is_told() -> None:
    with (
        pytest.raises(RuntimeError, match="status 3"),
        serving(lambda port: [sys.executable, "-c", "import sys; sys.exit(3)"], {}),
    ):
        pass
