"""What every page is built of: heading and messages here, the rest gathered from its own modules."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from pyarrow import ArrowException
from pydantic import ValidationError

from dashboards.address import choose, choose_part, chosen_run, chosen_runs, link, run_list
from dashboards.caching import cached
from dashboards.charts import pick_points, show_chart
from dashboards.folders import Folders, folders
from dashboards.tables import pick_rows, show_table
from dashboards.text import plain
from sim.errors import USER_ERRORS

__all__ = [
    "Folders",
    "cached",
    "choose",
    "choose_part",
    "chosen_run",
    "chosen_runs",
    "folders",
    "guarded",
    "link",
    "page",
    "pick_points",
    "pick_rows",
    "plain",
    "run_list",
    "show_chart",
    "show_table",
]

_UNREADABLE = (OSError, sqlite3.DatabaseError, ArrowException, ValidationError, UnicodeDecodeError)
"""What reading a damaged or half-written file raises below our own errors."""


@contextmanager
def page(title: str, question: str) -> Iterator[None]:
    """Heading of a page; what goes wrong inside with a run's files becomes one message.

    Args:
        title: the heading.
        question: what the page answers, as its reader would ask it.
    """
    st.title(title)
    st.caption(question)
    with guarded():
        yield


@contextmanager
def guarded() -> Iterator[None]:
    """What goes wrong inside with a run's files becomes one message; for fragments, which run without their page."""
    try:
        yield
    except USER_ERRORS as error:
        st.error(plain(str(error)))
    except _UNREADABLE as error:
        st.error(
            plain(
                f"A file of this run cannot be read: {error}\nIf the run is going on, look again in a moment; "
                "if not, the file is damaged. Delete its cell's folder and resume the run."
            )
        )
