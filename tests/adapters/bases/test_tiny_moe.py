"""The shipped base: small, whole, evenly routed, labelled a toy."""

from __future__ import annotations

import csv

import pytest

from adapters.bases.loader import PROFILES, Base, load_base
from adapters.engines.protocol import Message

FOLDER = PROFILES["tiny-moe"]


@pytest.fixture(scope="module")
def shipped() -> Base:
    return load_base("tiny-moe")


def test_it_fits_the_package() -> None:
    assert sum(f.stat().st_size for f in FOLDER.iterdir()) <= 10_000_000


def test_its_architecture_is_a_servable_mixture_of_experts(shipped: Base) -> None:
    config = shipped.model.config
    assert (config.model_type, config.num_experts, config.num_experts_per_tok) == ("qwen3_moe", 8, 2)
    assert config.hidden_size % 32 == config.moe_intermediate_size % 32 == 0
    assert config.max_position_embeddings == 2048
    assert shipped.name == "tiny-moe"


def test_it_is_labelled_a_toy(shipped: Base) -> None:
    assert shipped.is_toy
    assert "TOY" in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()[0]


def test_its_log_shows_falling_held_out_loss_and_no_idle_expert() -> None:
    with (FOLDER / "training_log.csv").open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    for name in ("posts", "turns", "choices", "answers"):
        assert float(lines[-1][f"held_out_{name}"]) < float(lines[0][f"held_out_{name}"])
    loads = [float(v) for k, v in lines[-1].items() if k.startswith("load_")]
    # 8 experts: an even share is 0.125
    assert len(loads) == 32
    assert min(loads) > 0.04
    assert max(loads) < 0.3


def test_the_decision_format_is_cheap_in_tokens(shipped: Base) -> None:
    reply = shipped.encoder.text_ids('{"action":"create_comment","post":2,"content":"')
    assert len(reply) <= 12
    prompt = shipped.encoder.prompt_ids((Message("system", "You are @ana."), Message("user", "Feed: empty")))
    assert len(prompt) < 30
