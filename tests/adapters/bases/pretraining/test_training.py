"""Training learns, repeats itself exactly, and goes on where it was interrupted."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from adapters.bases.pretraining import training
from adapters.bases.pretraining.evaluation import evaluate
from adapters.bases.pretraining.run import CHECKPOINT, LOG
from adapters.bases.pretraining.training import TELL_EVERY, MoeProgress, MoeTraining, train_moe
from adapters.bases.tiny_model import new_model
from adapters.bases.tiny_tokenizer import train_tokenizer
from adapters.errors import TrainingError
from tests.adapters.bases.tiny_data import HELD_OUT, RECIPE, ROWS, SHAPE

TOKENIZER = train_tokenizer(["nothing"], vocab_size=260)


def train(
    work_dir: Path, recipe: MoeTraining = RECIPE, interrupt_after: int | None = None
) -> torch.nn.Module:
    def watch(progress: MoeProgress) -> None:
        if interrupt_after is not None and progress.tokens >= interrupt_after:
            raise InterruptedError

    model = new_model(SHAPE, TOKENIZER, recipe.seed)
    return train_moe(model, ROWS, HELD_OUT, recipe, work_dir=work_dir, on_progress=watch)


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return train(folder), folder


def test_held_out_loss_falls_and_the_log_tells(trained: tuple[torch.nn.Module, Path]) -> None:
    model, folder = trained
    with (folder / LOG).open() as stream:
        lines = list(csv.DictReader(stream))
    losses = [float(line["held_out_counts"]) for line in lines]
    assert len(losses) == 1 + 3  # before the first step, then after every 2,000 of 6,000 tokens
    assert losses[-1] < 0.5 * losses[0]
    assert evaluate(model, HELD_OUT["counts"]).loss == pytest.approx(losses[-1], abs=1e-5)
    for layer in range(SHAPE.layers):
        loads = [float(lines[-1][f"load_layer{layer}_expert{e}"]) for e in range(SHAPE.experts)]
        assert sum(loads) == pytest.approx(1, abs=1e-4)
        assert max(loads) < 0.7


def test_the_same_recipe_gives_the_same_weights(
    trained: tuple[torch.nn.Module, Path], tmp_path: Path
) -> None:
    assert torch.equal(weights(train(tmp_path)), weights(trained[0]))


def test_an_interrupted_run_ends_where_the_whole_one_ends(
    trained: tuple[torch.nn.Module, Path], tmp_path: Path
) -> None:
    with pytest.raises(InterruptedError):
        train(tmp_path, interrupt_after=2_000)
    assert (tmp_path / CHECKPOINT).is_file()
    assert len((tmp_path / LOG).read_text().splitlines()) == 3  # header, first weights, 2,000 tokens
    assert torch.equal(weights(train(tmp_path)), weights(trained[0]))
    assert (tmp_path / LOG).read_text() == (trained[1] / LOG).read_text()


def test_a_step_in_several_passes_is_the_same_step(tmp_path: Path) -> None:
    """But for the balance of experts, which each pass sees for itself."""
    one, many = tmp_path / "one", tmp_path / "many"
    recipe = replace(RECIPE, tokens=1_000, router_aux=0.0)
    for folder in (one, many):
        folder.mkdir()
    whole = weights(train(one, recipe))
    torch.testing.assert_close(
        weights(train(many, replace(recipe, pass_tokens=40))), whole, atol=1e-4, rtol=0
    )


def test_a_checkpoint_is_made_between_evaluations_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    with pytest.raises(InterruptedError):
        train(tmp_path, interrupt_after=1)
    saved = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert saved["state"]["steps"] == TELL_EVERY
    assert len(saved["state"]["lines"]) == 1


def test_a_checkpoint_holds_what_training_changes_and_no_more(tmp_path: Path) -> None:
    model = new_model(SHAPE, TOKENIZER, 1)
    model.model.embed_tokens.weight.requires_grad_(False)
    train_moe(model, ROWS, HELD_OUT, replace(RECIPE, tokens=200), work_dir=tmp_path)
    saved = torch.load(tmp_path / CHECKPOINT, weights_only=True)["model"]
    assert saved.keys() == {name for name, p in model.named_parameters() if p.requires_grad}


def test_a_checkpoint_of_another_recipe_is_not_taken_up(trained: tuple[torch.nn.Module, Path]) -> None:
    with pytest.raises(TrainingError, match=r"checkpoint\.pt: left by a run with another seed; delete it"):
        train(trained[1], replace(RECIPE, seed=4))


def test_empty_data_is_refused(tmp_path: Path) -> None:
    for rows, held_out in (([], HELD_OUT), (ROWS, {}), (ROWS, {"counts": []})):
        with pytest.raises(TrainingError, match="got an empty list"):
            train_moe(new_model(SHAPE, TOKENIZER, 1), rows, held_out, RECIPE, work_dir=tmp_path)


def test_a_loss_that_explodes_stops_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="lower the learning rate"):
        train(tmp_path, replace(RECIPE, learning_rate=1e30))


def test_parameters_that_need_no_gradient_stay_as_they_are(tmp_path: Path) -> None:
    model = new_model(SHAPE, TOKENIZER, 1)
    kept = model.model.embed_tokens.weight.requires_grad_(False)
    before = kept.clone()
    moved = model.model.layers[0].mlp.gate.weight.clone()
    train_moe(model, ROWS, HELD_OUT, RECIPE, work_dir=tmp_path)
    assert torch.equal(kept, before)
    assert not torch.equal(model.model.layers[0].mlp.gate.weight, moved)
