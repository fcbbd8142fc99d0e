"""The few keys of a scenario that most people change, as the fields of a form; every other key stays in the YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.bindings import CONDITIONS
from sim.scenario import Scenario
from sim.scenario_file import as_plain

BLANK = """\
name: my-run
description: What do I want to know?
base: tiny-moe
corpus: {kind: synthetic, users: 32, posts_per_user: 60}
population: {size: 16, train_posts: 40}
adapters: {learning_rate: 0.01}
conditions: [lora, shared_base]
seeds: [0, 1]
simulation: {steps: 6, seed_posts: 8}
"""
"""Where somebody without a file begins; it runs as it is."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of the scenario in the form.

    Args:
        key: dotted, as for `--set`.
        label: what a person reads.
        help: what it decides.
        value: as the scenario has it: a number, a text, or a list.
        options: what can be chosen, where the list is closed.
    """

    key: str
    label: str
    help: str
    value: Any
    options: tuple[str, ...] = ()


def form_fields(scenario: Scenario) -> list[Field]:
    """The form's fields with the scenario's values; those that its kind of corpus does not have are left out."""
    plain = as_plain(scenario)
    return [
        Field(key, label, meaning, value, options)
        for key, label, meaning, options in _KEYS
        if (value := _at(plain, key)) is not None
    ]


def overrides(fields: Sequence[Field], values: Mapping[str, Any]) -> list[str]:
    """What the form changes, as `parse_scenario` and `--set` take it.

    Args:
        fields: of `form_fields`.
        values: key → what the form holds; a text is read as YAML, as on the command line.
    """
    return [
        f"{field.key}={value if isinstance(value, str) else json.dumps(value)}"
        for field in fields
        if (value := values[field.key]) != field.value and value != as_text(field.value)
    ]


def as_text(value: Any) -> str:
    """A value as YAML on one line: `[0, 1]`."""
    return value if isinstance(value, str) else json.dumps(value)


def _at(plain: Mapping[str, Any], key: str) -> Any:
    here: Any = plain
    for part in key.split("."):
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


_KEYS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("population.size", "People (N)", "One number, or a list of them: every size is a part of the grid.", ()),
    ("simulation.steps", "Steps", "Acting steps of each cell.", ()),
    ("seeds", "Seeds", "Each is one paired repetition; intervals need three or more.", ()),
    ("corpus.users", "People in the corpus", "Of the made-up community; at least N.", ()),
    ("adapters.epochs", "Epochs", "Passes of each adapter over its person's posts.", ()),
    ("base", "Base model", "tiny-moe (a toy, minutes), smollm2, or a folder.", ()),
    ("conditions", "Conditions", "What the agents carry; all else is held equal.", CONDITIONS),
)
"""Key, label, help and options."""
