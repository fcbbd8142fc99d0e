"""Live control: start a run, watch it, stop it, go on with it."""

from __future__ import annotations

import streamlit as st

from dashboards.run_watch import watch
from dashboards.scenario_desk import desk
from dashboards.shell import page

WATCH, START = "Watch", "Start a run"
_KEY, _WIDGET = "do", "choose-do"


def render() -> None:
    """Draw the page."""
    with page("Live control", "What is running, and what shall run next?"):
        asked = st.query_params.get(_KEY)
        st.session_state[_WIDGET] = asked if asked in (WATCH, START) else WATCH
        chosen = st.segmented_control(
            "What to do",
            (WATCH, START),
            key=_WIDGET,
            on_change=_moved,
            required=True,
            label_visibility="collapsed",
        )
        if chosen == START:
            desk()
        else:
            watch()


def _moved() -> None:
    st.query_params[_KEY] = st.session_state[_WIDGET]
