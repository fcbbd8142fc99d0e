"""The form says what the YAML says, and changes what the form changes."""

from __future__ import annotations

from pathlib import Path

from sim.scenario_file import parse_scenario
from sim.views.scenario_form import BLANK, form_fields, overrides

HERE = Path("scenario.yaml")


def test_untouched_form_changes_nothing() -> None:
    fields = form_fields(parse_scenario(BLANK, HERE))
    assert overrides(fields, {field.key: field.value for field in fields}) == []


def test_changed_fields_win_over_the_text() -> None:
    fields = form_fields(parse_scenario(BLANK, HERE))
    values = {field.key: field.value for field in fields}
    values |= {
        "population.size": "[8, 12]",
        "simulation.steps": 3,
        "conditions": ["lora", "zero", "shared_base"],
    }
    changed = parse_scenario(BLANK, HERE, overrides(fields, values))
    assert changed.population.size == (8, 12)
    assert changed.simulation.steps == 3
    assert changed.conditions == ("lora", "zero", "shared_base")


def test_form_has_no_field_for_a_key_that_its_corpus_lacks() -> None:
    text = BLANK.replace("kind: synthetic, users: 32, posts_per_user: 60", "kind: file, path: posts.csv")
    keys = {field.key for field in form_fields(parse_scenario(text, HERE))}
    assert "corpus.users" not in keys
    assert "population.size" in keys
