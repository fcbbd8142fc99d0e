"""An exported base loads, is marked as a toy, and says so."""

from __future__ import annotations

from pathlib import Path

from adapters.bases.loader import load_base
from adapters.bases.pretraining.evaluation import evaluate
from adapters.bases.tiny_export import export_tiny_base
from adapters.bases.tiny_model import new_model
from adapters.bases.tiny_tokenizer import train_tokenizer
from tests.adapters.bases.tiny_data import HELD_OUT, RECIPE, SHAPE


def test_an_exported_base_loads_as_the_toy_it_is(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["nothing much"], vocab_size=270)
    model = new_model(SHAPE, tokenizer, 1).eval()
    export_tiny_base(tmp_path, model, tokenizer, RECIPE, HELD_OUT, facts={"users": 3})
    base = load_base(tmp_path)
    assert base.is_toy
    assert base.encoder.text_ids("nothing") == tuple(tokenizer.encode("nothing"))
    exact = evaluate(model, HELD_OUT["counts"]).loss
    assert abs(evaluate(base.model, HELD_OUT["counts"]).loss - exact) < 1e-2
    card = (tmp_path / "README.md").read_text()
    assert "TOY" in card
    assert "users 3" in card
    assert f"float32 {exact:.5f}" in card
