"""Writing a scenario: a file to begin with, the usual keys as a form, all keys as YAML, the errors of the command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboards.folders import Folders
from dashboards.run_watch import store_for
from dashboards.shell import choose, folders, plain
from sim.control import local_paths, start, validate
from sim.errors import RunDirError, ScenarioError
from sim.scenario import Scenario
from sim.scenario_file import parse_scenario
from sim.views.folders import find_scenarios
from sim.views.scenario_form import BLANK, Field, as_text, form_fields, overrides

NEW = "a small example"


def desk() -> None:
    """Draw the desk; a run that is started here is watched at once."""
    found = folders()
    files = {found.name(path): path for root in found.roots.values() for path in find_scenarios(root)}
    left, right = st.columns(2)
    with left:
        chosen = choose("from", "Begin with", [NEW, *files])
    with right:
        root = choose("into", "Run in", list(found.roots))
    folder = found.roots[root]
    path = files.get(chosen, folder / "scenario.yaml")
    first = found.guard(path).read_text("utf-8") if chosen in files else BLANK
    left, right = st.columns(2)
    with right:
        text = st.text_area(
            "Scenario (YAML)", first, height=430, key=f"yaml-{chosen}",
            help="All keys are in the documentation, docs/scenario.md. What the form says wins over the text.",
        )  # fmt: skip
    with left:
        scenario = _checked(text, path, found)
        if scenario is not None:
            _start(scenario, found, folder)


def _checked(text: str, path: Path, found: Folders) -> Scenario | None:
    """The scenario of the text and the form, or a message and None."""
    try:
        fields = form_fields(parse_scenario(text, path))
        scenario = parse_scenario(text, path, overrides(fields, _form(fields)))
        for key, place in local_paths(scenario).items():
            _guard(found, key, place)
    except (ScenarioError, RunDirError) as error:
        st.error(plain(str(error)))
        return None
    return scenario


def _guard(found: Folders, key: str, place: Path) -> None:
    try:
        found.guard(place)
    except RunDirError as error:
        raise RunDirError(f"{key}: {error}") from error


def _form(fields: Sequence[Field]) -> dict[str, Any]:
    columns = st.columns(2)
    values = {}
    for number, field in enumerate(field for field in fields if not field.options):
        with columns[number % 2]:
            values[field.key] = _input(field)
    for field in fields:
        if field.options:
            values[field.key] = st.multiselect(
                field.label, field.options, field.value, key=_key(field), help=field.help
            )
    return values


def _input(field: Field) -> Any:
    if isinstance(field.value, int):
        return st.number_input(field.label, value=field.value, step=1, key=_key(field), help=field.help)
    return st.text_input(field.label, as_text(field.value), key=_key(field), help=field.help)


def _key(field: Field) -> str:
    """A field begins anew when the text gives its key another value."""
    return f"form-{field.key}-{as_text(field.value)}"


def _start(scenario: Scenario, found: Folders, folder: Path) -> None:
    name = st.text_input(
        "Name of the run",
        scenario.name,
        key=f"name-{scenario.name}",
        help="Of its folder; the log lies beside it.",
    )
    with st.container(horizontal=True):
        check = st.button("Check", help="Reads corpus and base, as plures validate does; takes some seconds.")
        go = st.button("Start", type="primary", icon=":material/play_circle:")
    if check:
        with st.spinner("Reading corpus and base"):
            lines = validate(scenario)
        st.success(plain("\n".join(lines)))
    if go:
        begun = start(scenario, folder, name, store=store_for(found, folder))
        st.query_params.from_dict({"run": found.name(begun.path)})
        st.rerun()
