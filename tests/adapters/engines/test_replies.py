"""What ends a reply, and how its tokens read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.bases.loader import Base
from adapters.engines.replies import reply_text, stop_ids


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"eos_token_id": [7, 9]}, {7, 9}), ({"eos_token_id": 7}, {7}), ({}, set()), (None, {256})],
)
def test_replies_end_by_the_turns_end_and_by_what_the_generation_settings_name(
    base: Base, tmp_path: Path, settings: dict[str, object] | None, expected: set[int]
) -> None:
    """Without a file of such settings the base's config counts, as it does for transformers."""
    shutil.copy(base.path / "config.json", tmp_path)
    if settings is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(settings))
    assert stop_ids(replace(base, path=tmp_path)) == {base.encoder.end_ids[0], *expected}


def test_the_end_is_no_part_of_the_text(base: Base) -> None:
    tokens = (*base.encoder.text_ids("Grüße "), base.encoder.end_ids[0])
    assert reply_text(base.tokenizer, tokens, stopped=True) == "Grüße "
    assert reply_text(base.tokenizer, tokens[:-1], stopped=False) == "Grüße "
