"""Tables: sortable on the screen, CSV on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboards.text import plain

MISSING = "–"
"""Stands for a value that there is not."""


def show_table(
    frame: pd.DataFrame,
    name: str,
    *,
    help: Mapping[str, str] | None = None,
    columns: Mapping[str, Any] | None = None,
) -> None:
    """Show a frame with a CSV download.

    Args:
        frame: cells are shown as text, never as markup.
        name: of the file, and what a screen reader calls the table; unique on its page.
        help: column → what it means, shown on the column's head.
        columns: column → its look, of `st.column_config`; wins over `help`.
    """
    st.dataframe(
        frame,
        hide_index=True,
        column_config=_columns(help) | dict(columns or {}),
        alt=name,
        placeholder=MISSING,
        key=f"table-{name}",
    )
    _download(frame, name)


def pick_rows(
    frame: pd.DataFrame,
    name: str,
    *,
    help: Mapping[str, str] | None = None,
    columns: Mapping[str, Any] | None = None,
    many: bool = True,
) -> list[int]:
    """Show a frame whose rows can be chosen, with a CSV download.

    Args:
        frame: as for `show_table`.
        name: as for `show_table`.
        help: as for `show_table`.
        columns: as for `show_table`.
        many: whether more than one row can be chosen.

    Returns:
        Places of the chosen rows, from 0.
    """
    state = st.dataframe(
        frame,
        hide_index=True,
        column_config=_columns(help) | dict(columns or {}),
        alt=name,
        placeholder=MISSING,
        key=f"table-{name}",
        on_select="rerun",
        selection_mode="multi-row" if many else "single-row",
    )
    _download(frame, name)
    return [row for row in state["selection"]["rows"] if row < len(frame)]


def _columns(help: Mapping[str, str] | None) -> dict[str, Any]:
    return {column: st.column_config.Column(help=plain(text)) for column, text in (help or {}).items()}


def _download(frame: pd.DataFrame, name: str) -> None:
    st.download_button(
        "CSV",
        data=lambda: frame.to_csv(index=False).encode(),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        help=plain(f"Download {name}.csv"),
    )
