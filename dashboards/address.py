"""The address says what is shown: choices live in the URL's query, so that a link shows the same page to anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st

from dashboards.folders import folders
from dashboards.registry import PAGES
from dashboards.text import plain
from sim.errors import RunDirError
from sim.run_dir import RunDir

T = TypeVar("T")

KEPT = ("run", "runs")
"""Parameters that a link to another page takes along unless it sets them."""
OPEN = "open-page"
"""Key of the session's state: name of the page that is open."""


def choose(
    key: str,
    label: str,
    options: Sequence[T],
    *,
    default: T | None = None,
    format: Callable[[T], str] = str,
    help: str | None = None,
) -> T:
    """A select box tied to the query parameter `key`: the address decides, and a choice changes the address.

    Args:
        key: query parameter; its value is `str(option)`, which must tell options apart.
        label: above the box.
        options: at least one.
        default: shown where the address is silent; else the first option.
        format: option → what a person reads.
        help: tooltip.

    Raises:
        RunDirError: when there is nothing to choose from.
    """
    if not options:
        raise RunDirError(f"{label}: there is nothing to choose from.")
    by_token = {str(option): option for option in options}
    usual = str(default) if default is not None and str(default) in by_token else next(iter(by_token))
    wanted = st.query_params.get(key, usual)
    if wanted not in by_token:
        st.warning(plain(f"{label}: {wanted} is not here. Showing {format(by_token[usual])}."))
        wanted = usual
    widget = f"choose-{key}"
    st.session_state[widget] = wanted

    def moved() -> None:
        st.query_params[key] = st.session_state[widget]

    st.selectbox(
        label,
        list(by_token),
        key=widget,
        format_func=lambda token: format(by_token[token]),
        on_change=moved,
        help=help,
    )
    return by_token[wanted]


def choose_part(key: str, parts: Mapping[str, str]) -> str:
    """The part of a page that is shown, as a bar of buttons tied to the query parameter `key`.

    Args:
        key: query parameter; its value is the part's name.
        parts: name → what stands on its button; the first is shown where the address is silent or names none.
    """
    first, widget = next(iter(parts)), f"part-{key}"
    part = st.query_params.get(key, first)
    if part not in parts:
        st.warning(plain(f"Part {part} is not here. Showing {parts[first]}."))
        part = first
    st.session_state[widget] = part

    def moved() -> None:
        st.query_params[key] = st.session_state[widget]

    st.segmented_control(
        "Show",
        list(parts),
        key=widget,
        format_func=parts.__getitem__,
        on_change=moved,
        required=True,
        label_visibility="collapsed",
    )
    return part


def link(label: str, page: str, **params: str) -> None:
    """A link to a page of the app.

    Args:
        label: shown; plain text.
        page: a name of `PAGES`. For the page that is open it becomes a button that looks like a link: Streamlit
            follows a link within a page, but leaves the address as it was.
        params: the query; `run` and `runs` of this page are taken along unless given, and an empty value drops one.
    """
    query = {key: value for key, value in (_kept() | params).items() if value}
    icon = PAGES[page].icon
    if page != st.session_state.get(OPEN):
        st.page_link(page_object(page), label=plain(label), icon=icon, query_params=query)
        return
    key = f"link-{label}-{sorted(query.items())}"
    st.button(
        plain(label), icon=icon, type="tertiary", key=key, on_click=st.query_params.from_dict, args=(query,)
    )


def menu(first: str) -> st.Page:
    """Draw the menu in the sidebar, and tell which page the address names.

    Args:
        first: name of the page at the root of the address.
    """
    objects = {name: page_object(name, default=name == first) for name in PAGES}
    current = st.navigation(list(objects.values()), position="hidden")
    open_page = next(name for name, page in objects.items() if page.title == current.title)
    st.session_state[OPEN] = open_page
    with st.sidebar:
        for name, page in objects.items():
            query = dict(st.query_params) if name == open_page else _kept()
            st.page_link(page, icon=PAGES[name].icon, query_params=query)
    return current


def page_object(name: str, *, default: bool = False) -> st.Page:
    """A page of the table as Streamlit's own object; without its icon, which browsers would fetch from the internet.

    Args:
        name: in `PAGES`.
        default: whether it stands at the root of the address.
    """
    entry = PAGES[name]
    return st.Page(entry.render, title=entry.title, url_path=name, default=default)


def run_list(names: Sequence[str]) -> str:
    """Names of runs as one value of the parameter `runs`."""
    return ",".join(names)


def chosen_run() -> RunDir:
    """The run that the address names (`?run=NAME`), chosen in the sidebar.

    Raises:
        RunDirError: when there is no run, or the chosen one cannot be opened.
    """
    found, names = folders(), _run_names()
    with st.sidebar:
        return found.run(choose("run", "Run", names, default=found.latest_run(names)))


def chosen_runs() -> list[RunDir]:
    """The runs that the address names (`?runs=A,B`, or `?run=A`), chosen in the sidebar; at least one.

    Raises:
        RunDirError: when there is no run, or a chosen one cannot be opened.
    """
    found, names = folders(), _run_names()
    asked = st.query_params.get("runs") or st.query_params.get("run") or found.latest_run(names)
    wanted = [name for name in asked.split(",") if name]
    if strangers := [name for name in wanted if name not in names]:
        st.warning(plain(f"Not here: {', '.join(strangers)}."))
    chosen = [name for name in wanted if name in names] or [found.latest_run(names)]
    st.session_state["choose-runs"] = chosen

    def moved() -> None:
        st.query_params["runs"] = run_list(st.session_state["choose-runs"])

    with st.sidebar:
        st.multiselect("Runs", names, key="choose-runs", on_change=moved)
    return [found.run(name) for name in chosen]


def _kept() -> dict[str, str]:
    return {key: st.query_params[key] for key in KEPT if key in st.query_params}


def _run_names() -> list[str]:
    if names := folders().run_names():
        return names
    raise RunDirError(
        f"No run below {folders().shown} yet. Start one on the page {PAGES['control'].title}, "
        "or with: plures run SCENARIO --out RUN"
    )
