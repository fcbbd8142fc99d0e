"""Texts of strangers are shown as text on every page: no markup, no links, no pictures, no formulas, no icons."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards.registry import PAGES
from dashboards.text import plain
from sim.run_dir import RunDir
from tests.dashboards.broken_runs import hostile_texts
from tests.dashboards.conftest import OpenPage

ACTIVE = re.compile(
    r"(?<!\\)<(script|img|a href|b>)|(?<!\\)!\[image|\]\(javascript|(?<!\\)\$\\frac|(?<!\\):(material/home|red\[)"
    r"|(?<!\\)\*\*bold"
)
"""What would be more than text if it stood in markdown or in plotly's markup."""

_SHOWN_AS_TEXT = ("text", "code", "arrow_data_frame", "dataframe", "plotly_chart", "json")


@pytest.fixture(scope="module")
def hostile(finished_run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run whose every text is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(finished_run.path, folder / "run")
    hostile_texts(folder / "run")
    yield folder
    st.cache_data.clear()


def marked_up(app: AppTest) -> list[str]:
    """Every text of a page that Streamlit reads as markdown: bodies, labels and help texts."""
    found = []
    for node in app._tree:
        proto = getattr(node, "proto", None)
        if node.type in _SHOWN_AS_TEXT:
            continue
        values = [getattr(node, "label", None)]
        values += [getattr(proto, field, None) for field in ("body", "label", "help", "text")]
        found += [value for value in values if isinstance(value, str)]
        assert not getattr(proto, "allow_html", False), "HTML is let through"
    return found


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(node.proto.spec) for node in app._tree if node.type == "plotly_chart"]


def strings(value: object) -> Iterator[str]:
    """Every string in a chart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


@pytest.mark.parametrize("address", ["http://a.b/c", "HTTPS://a.b", "www.example.org", "me@example.org"])
def test_an_address_in_a_text_is_no_link(address: str) -> None:
    """Streamlit makes links of bare addresses after escapes are resolved: something of no width stands in them."""
    shown = plain(f"see {address}!").replace("\\", "")
    assert address not in shown
    assert shown.replace("\u2060", "") == f"see {address}!"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_of_a_stranger_becomes_markup(page: str, hostile: Path, open_page: OpenPage) -> None:
    app = open_page(page, hostile)
    assert not app.exception, [shown.stack_trace for shown in app.exception]
    assert not [text[:200] for text in marked_up(app) if ACTIVE.search(text)]
    shown = [text for chart in charts(app) for text in strings(chart)]
    assert not [text[:200] for text in shown if re.search(r"<script|<img|<a href", text)]
    kinds = {node.type for node in app._tree}
    assert not kinds & {"iframe", "imgs", "image", "component_instance", "bidi_component"}
