"""An evaluation of generated posts is written once and read back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metrics.text.imitation import imitation
from sim.errors import SimError
from sim.imitation_files import failures_by_writer, imitation_file, keep_imitation, read_imitation
from sim.views.imitation import imitation_of

TRAIN = pd.DataFrame({"person": ["ada", "ada", "ben", "ben"], "text": ["aa bb", "aa cc", "dd ee", "dd ff"]})
TEXTS = pd.DataFrame(
    {
        "person": ["ada", "ben", "ada"],
        "writer": ["adapter", "adapter", "base"],
        "text": ["aa bb", "<b>dd</b> ee", "zz"],
    }
)


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    found = imitation(TRAIN, TEXTS, rng=np.random.default_rng(0))
    evaluation = tmp_path / "2026-01-01T00-00-00-abcdef01.parquet"
    assert imitation_of(evaluation) is None
    keep_imitation(imitation_file(evaluation), found, {"base": {"truncated": 1}})
    kept = imitation_of(evaluation)
    assert kept is not None
    assert kept.chance == 0.5
    assert kept.shares["writer"].tolist() == ["adapter", "base", "real"]
    assert kept.shares["texts"].tolist() == [2, 1, 0]
    assert kept.shares["failed"].tolist() == [0, 1, 0]
    measured = [w.top1_post.value for w in found.writers.values()]
    assert kept.shares["top1_post"].tolist() == pytest.approx(measured, nan_ok=True)
    assert kept.posts["guess"].tolist() == found.guesses["guess"].tolist()


def test_failures_are_counted_by_writer_and_reason() -> None:
    written = pd.DataFrame({"writer": ["base", "base", "adapter"], "failure": ["truncated", "truncated", ""]})
    assert failures_by_writer(written) == {"base": {"truncated": 2}}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"writers": {"base": 1}}', b"\xff"])
def test_a_damaged_file_is_told_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "e.json"
    file.write_bytes(content)
    with pytest.raises(SimError, match=r"e\.json: damaged.*--generated"):
        read_imitation(file)
