"""The app: menu and page, for whatever address was opened."""

from __future__ import annotations

import streamlit as st

from dashboards.address import menu
from dashboards.charts import picture_format

_STYLE = """<style>
.stMainBlockContainer { padding: 2.5rem 2.5rem 3rem; max-width: 1500px; }
</style>"""
"""Room for what is shown: Streamlit's own margins take a third of a screen of 1280×720."""


def main(first: str = "home") -> None:
    """Draw the page that the address names, beside the menu.

    Args:
        first: the page at the root of the address.
    """
    st.set_page_config(page_title="Plures", layout="wide")
    st.html(_STYLE)
    menu(first).run()
    with st.sidebar:  # below what the page itself puts there
        picture_format()
