"""A written community reads back as itself."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from agents.loading import load_corpus
from agents.synthetic.community import Community
from agents.synthetic.writing import write_community


def test_timelines_load_back_unchanged(community: Community, tmp_path: Path) -> None:
    write_community(community, tmp_path / "town")
    corpus = load_corpus(tmp_path / "town" / "timelines.jsonl")
    assert corpus.digest == community.corpus.digest
    assert not corpus.excluded
    assert not corpus.warnings


def test_interactions_hold_prompt_and_reply_and_the_truth_is_a_table(
    community: Community, tmp_path: Path
) -> None:
    write_community(community, tmp_path)
    lines = (tmp_path / "interactions.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == len(community.interactions)
    first = json.loads(lines[0])
    assert [m["role"] for m in first["messages"]] == ["system", "user"]
    assert json.loads(first["reply"])["action"] == first["decision"]["action"]
    truth = pd.read_csv(tmp_path / "truth.csv")
    assert truth.user.tolist() == community.truth.user.tolist()
    assert truth.columns.tolist() == community.truth.columns.tolist()
