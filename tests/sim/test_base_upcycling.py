"""A dense base becomes a mixture; trained further, it knows unseen people better than before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapters.bases.loader import load_base
from adapters.errors import BaseModelError, TrainingError
from agents.corpus import Corpus, Post, User
from agents.synthetic import make_community, write_community
from sim.base_upcycling import UpcyclingPlan, _split, studied, upcycle_base
from sim.progress import Silent
from sim.rng import generator
from tests.adapters.tiny import write_base

PLAN = UpcyclingPlan(experts=2, top_k=1, tokens=6_000, learning_rate=3e-3, held_out_posts=20)


def test_training_lowers_the_loss_of_unseen_people_and_leaves_attention_alone(tmp_path: Path) -> None:
    dense = load_base(write_base(tmp_path / "dense", "llama"))
    corpus = make_community(generator(0, "community"), 20, 12, interactions_per_user=0).corpus
    made = upcycle_base(dense, tmp_path / "sparse", PLAN, corpus=corpus)
    assert made.before is not None
    assert made.after is not None
    assert made.after < made.before - 0.3
    assert [len(layer) for layer in made.load] == [2, 2]
    assert all(sum(layer) == pytest.approx(1, abs=1e-4) for layer in made.load)
    sparse = load_base(made.folder)
    assert sparse.model.config.model_type == "mixtral"
    own, theirs = (base.model.model.layers[0].self_attn.q_proj.weight for base in (sparse, dense))
    assert torch.equal(own, theirs)
    assert not (tmp_path / "sparse.training").exists()
    with pytest.raises(BaseModelError, match="sparse: exists"):
        upcycle_base(dense, tmp_path / "sparse", PLAN, corpus=corpus)


def test_a_training_cut_off_goes_on_when_it_is_asked_for_again(tmp_path: Path) -> None:
    """To the very weights of one that was not; other settings are refused meanwhile."""
    corpus = make_community(generator(0, "community"), 8, 12, interactions_per_user=0).corpus
    plan = replace(PLAN, tokens=3_000, apart=(corpus.users[0].user_id,))
    folder = write_base(tmp_path / "dense", "llama")

    class PowerCut(Silent):
        def advance(self, task: str, done: int, note: str = "") -> None:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        upcycle_base(load_base(folder), tmp_path / "cut", plan, corpus=corpus, watcher=PowerCut())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cut.training", "dense"]
    with pytest.raises(TrainingError, match=r"another learning_rate; delete it"):
        upcycle_base(load_base(folder), tmp_path / "cut", replace(plan, learning_rate=1e-3), corpus=corpus)
    one, other = (
        load_base(upcycle_base(load_base(folder), tmp_path / name, plan, corpus=corpus).folder)
        for name in ("cut", "whole")
    )
    assert one.fingerprint == other.fingerprint


def test_without_tokens_it_is_the_dense_base_in_another_form(tmp_path: Path) -> None:
    dense = load_base(write_base(tmp_path / "dense", "llama"))
    made = upcycle_base(dense, tmp_path / "sparse", UpcyclingPlan(experts=2, top_k=1))
    ids = torch.arange(3, 23).reshape(1, 20)
    sparse = load_base(made.folder)
    torch.testing.assert_close(
        sparse.model(input_ids=ids).logits, dense.model(input_ids=ids).logits, atol=1e-5, rtol=1e-5
    )
    assert sparse.encoder.end_ids == dense.encoder.end_ids
    assert (made.before, made.after) == (None, None)


def test_nothing_is_read_of_people_who_are_left_out_nor_of_those_who_copy_them() -> None:
    """A post that spreads through several accounts is known where anybody held out or left out wrote it too."""
    texts = {
        "studied": "the harbour bridge opens at noon today",
        "copyist": "The harbour bridge opens at noon today!",
        "other": "rain again and the market stays shut",
        "third": "my cat sleeps on the warm oven",
    }
    users = tuple(User(name, None, "", (Post("2020", text),)) for name, text in texts.items())
    plan = UpcyclingPlan(apart=("studied",))
    encoder = load_base("tiny-moe").encoder
    learned, held_out = _split(Corpus("posts", users), encoder, plan)
    read = [tuple(row.tokens) for row in (*learned, *held_out)]
    ids = {name: (*encoder.begin_ids, *encoder.text_ids(t), *encoder.end_ids) for name, t in texts.items()}
    assert ids["studied"] not in read
    assert ids["copyist"] not in map(tuple, (row.tokens for row in learned))
    assert set(read) <= set(ids.values())
    with pytest.raises(TrainingError, match="nobody called 'nobody' to leave out"):
        _split(Corpus("posts", users), encoder, UpcyclingPlan(apart=("nobody",)))


def test_the_people_of_scenarios_are_those_that_their_runs_draw(tmp_path: Path) -> None:
    write_community(make_community(generator(0, "community"), 12, 20, interactions_per_user=0), tmp_path)
    scenario = tmp_path / "study.yaml"
    scenario.write_text(
        "name: study\ncorpus: {kind: file, path: elsewhere.jsonl}\n"
        "population: {size: [4, 6], train_posts: 8, held_out_posts: 2}\n"
    )
    ids = studied([scenario], tmp_path / "timelines.jsonl")
    assert len(set(ids)) == 6  # the four are among the six
    assert studied([], None) == ()
    with pytest.raises(TrainingError, match="without --corpus"):
        studied([scenario], None)


def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    dense = load_base(write_base(tmp_path / "dense", "llama"))
    with pytest.raises(TrainingError, match="needs a corpus"):
        upcycle_base(dense, tmp_path / "sparse", PLAN)
    with pytest.raises(TrainingError, match="say how much with --tokens"):
        upcycle_base(dense, tmp_path / "sparse", UpcyclingPlan(), corpus=Corpus("posts", ()))
    with pytest.raises(TrainingError, match="0 people are too few"):
        upcycle_base(dense, tmp_path / "sparse", PLAN, corpus=Corpus("posts", ()))
    with pytest.raises(TrainingError, match="learning_rate: got 0"):
        upcycle_base(dense, tmp_path / "sparse", replace(PLAN, learning_rate=0), corpus=Corpus("posts", ()))
    assert [entry.name for entry in tmp_path.iterdir()] == ["dense"]
