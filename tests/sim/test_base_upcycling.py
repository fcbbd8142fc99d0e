"""A dense base becomes a mixture; trained further, it knows unseen people better than before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adapters.bases.loader import load_base
from adapters.errors import BaseModelError, TrainingError
from agents.synthetic.community import make_community
from sim.base_upcycling import UpcyclingPlan, upcycle_base
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


def test_training_without_a_corpus_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    dense = load_base(write_base(tmp_path / "dense", "llama"))
    with pytest.raises(TrainingError, match="needs a corpus"):
        upcycle_base(dense, tmp_path / "sparse", PLAN)
    assert [entry.name for entry in tmp_path.iterdir()] == ["dense"]
