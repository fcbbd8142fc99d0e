"""A slider over the steps of a run, tied to the address like every other choice."""

from __future__ import annotations

import streamlit as st

KEY = "step"
"""Query parameter."""


def choose_step(last: int, label: str = "Step") -> int:
    """A step from 0 to the last one, which is shown where the address is silent or names no such step.

    Args:
        last: of the run.
        label: above the slider.
    """
    if last == 0:
        return 0
    asked = st.query_params.get(KEY, "")
    widget = f"slide-{KEY}"
    st.session_state[widget] = int(asked) if asked.isdecimal() and int(asked) <= last else last

    def moved() -> None:
        st.query_params[KEY] = str(st.session_state[widget])

    step: int = st.slider(label, 0, last, key=widget, on_change=moved)
    return step
