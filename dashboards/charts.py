"""Charts: plotly, saved as PNG or SVG by the browser itself, each with its meaning in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboards.text import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

_FORMATS = ("PNG", "SVG")
_WIDGET = "picture-format"
_LONGEST_CAPTION = 320
"""Characters that stand under a chart; more words are folded away, and still read out in place of the chart."""


def picture_format() -> None:
    """The choice of the format that charts are saved in, for all pages."""
    st.segmented_control(
        "Plots are saved as",
        _FORMATS,
        default=_FORMATS[0],
        required=True,
        key=_WIDGET,
        help="The camera above a plot saves it. The browser makes the file; nothing is sent anywhere.",
    )


def show_chart(figure: go.Figure, name: str, alt: str) -> None:
    """Show a chart with its text alternative and a download.

    Args:
        figure: made of text that plotly may read as markup only where it was escaped (`html.escape`).
        name: of the file; unique on its page.
        alt: what the chart says, in words: read out instead of it, and printed under it.
    """
    st.plotly_chart(figure, theme=None, config=_config(name), key=f"chart-{name}", alt=alt)
    _in_words(alt)


def pick_points(figure: go.Figure, name: str, alt: str) -> list[Mapping[str, Any]]:
    """Show a chart whose points can be clicked.

    Args:
        figure: as for `show_chart`.
        name: as for `show_chart`.
        alt: as for `show_chart`.

    Returns:
        The chosen points as plotly describes them: `curve_number`, `point_index`, `customdata`, ….
    """
    state = st.plotly_chart(
        figure,
        theme=None,
        config=_config(name),
        key=f"chart-{name}",
        alt=alt,
        on_select="rerun",
        selection_mode="points",
    )
    _in_words(alt)
    return list(state["selection"]["points"])


def _in_words(alt: str) -> None:
    if len(alt) <= _LONGEST_CAPTION:
        st.caption(plain(alt))
        return
    with st.expander("The chart in words"):
        st.caption(plain(alt))


def _config(name: str) -> dict[str, Any]:
    chosen = str(st.session_state.get(_WIDGET) or _FORMATS[0]).lower()
    return {"displaylogo": False, "toImageButtonOptions": {"format": chosen, "filename": name, "scale": 2}}
