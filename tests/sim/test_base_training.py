"""The tiny base trains end to end: community, tokenizer, network, a folder that loads."""

from __future__ import annotations

import csv
from pathlib import Path

from adapters.bases.loader import load_base
from adapters.bases.pretraining.run import CHECKPOINT, LOG
from sim.base_training import CommunityPlan, train_tiny_base

PLAN = CommunityPlan(users=6, posts_per_user=6, interactions_per_user=4, held_out_users=2)


class Listener:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, task: str, total: int) -> None:
        self.notes.append(f"{task} {total}")

    def advance(self, task: str, done: int, note: str = "") -> None:
        self.notes.append(f"{done} {note}")

    def say(self, message: str) -> None:
        self.notes.append(message)


def test_a_base_is_trained_and_loads_as_a_toy(tmp_path: Path) -> None:
    listener = Listener()
    folder = train_tiny_base(tmp_path / "base", seed=1, tokens=20_000, plan=PLAN, watcher=listener)
    base = load_base(folder)
    assert base.is_toy
    assert not (folder / CHECKPOINT).exists()
    with (folder / LOG).open() as stream:
        assert len(list(csv.DictReader(stream))) == 2  # first weights, then the end
    assert listener.notes[1] == "tiny-moe tokens 20000"
    assert listener.notes[-1].startswith("20000 loss ")
