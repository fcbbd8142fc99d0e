"""Readable without colours and without eyes: looks differ in grey, every plot and table has a text alternative."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from dashboards.registry import PAGES
from sim.figure_style import GREY, colour, dash, marker
from sim.run_dir import RunDir
from tests.dashboards.conftest import OpenPage

PLACES = range(6)
"""Conditions that one figure can hold before a colour comes again."""


def luminance(hexadecimal: str) -> float:
    """Relative luminance in [0, 1]: what is left of a colour in grey. Source: WCAG 2.2."""
    channels = [int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """From 1 (alike) to 21 (black on white). Source: WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    # The standard's own example of a grey that just passes at 4.5: #767676 on white is 4.54.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_conditions_that_look_alike_in_grey_differ_by_dash_and_marker() -> None:
    for one, other in combinations(PLACES, 2):
        if contrast(colour(one), colour(other)) < 1.5:
            assert dash(one) != dash(other)
            assert marker(one) != marker(other)


def test_no_two_conditions_share_dash_or_marker() -> None:
    assert len({dash(place) for place in PLACES}) == len({marker(place) for place in PLACES}) == len(PLACES)


def test_lines_stand_out_from_the_paper() -> None:
    """Graphics need 3 to 1 (WCAG 2.2, 1.4.11); the palette's two light ones are told by dash, marker and legend."""
    below = [place for place in PLACES if contrast(colour(place), "#ffffff") < 3]
    assert set(below) <= {3, 4, 5}
    assert all(contrast(colour(place), "#ffffff") > 2 for place in PLACES)
    assert contrast(GREY, "#ffffff") > 4.5


@pytest.mark.parametrize("page", PAGES)
def test_every_plot_and_table_is_told_in_words(page: str, open_page: OpenPage, finished_run: RunDir) -> None:
    app = open_page(page, finished_run.path.parent)
    assert not app.exception
    captions = {shown.value.replace("\\", "") for shown in app.caption}
    for node in app._tree:
        if node.type == "plotly_chart":
            assert node.proto.alt.strip(), json.loads(node.proto.spec)["layout"]
            assert any(node.proto.alt.split("\n")[0].strip() in caption for caption in captions)


def test_headings_say_which_page_it_is(open_page: OpenPage, tmp_path: Path) -> None:
    titles = [open_page(page, tmp_path).title[0].value for page in PAGES]
    assert len(set(titles)) == len(PAGES)
