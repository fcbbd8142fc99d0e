"""Many adapters at once against each alone, and against PEFT with torch's AdamW."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from adapters.bases.loader import Base, load_base
from adapters.errors import BaseMismatchError, TrainingError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.inits import fresh_adapter, stack_shapes
from adapters.lora.layers import StackedLora
from adapters.lora.peft_io import write_peft
from adapters.lora.spec import LoraSpec
from adapters.training.config import TrainConfig
from adapters.training.data import Example, UserPlan, plan_users
from adapters.training.schedule import learning_rate
from adapters.training.trainer import Progress, train_adapters
from tests.adapters.tiny import VOCAB, write_base
from tests.adapters.training.rows import random_rows

CONFIG = TrainConfig(
    spec=LoraSpec(rank=4, alpha=16.0),
    epochs=2,
    rows_per_step=3,
    learning_rate=2e-3,
    weight_decay=0.01,
    clip_norm=0.5,
    warmup_share=0.2,
    slots=3,
    seed=7,
    tokens_per_pass=100,
)
# Different numbers of rows, so that users end at different steps; with and without a shared prompt.
DATA = {
    "ada": random_rows(8, seed=1),
    "ben": random_rows(5, seed=2, prompt=15),
    "cy": random_rows(2, seed=3),
    "dot": random_rows(7, seed=4, prompt=9),
    "eve": random_rows(1, seed=5),
}
# Promised by the design: AdamW amplifies the rounding of tiny gradients, so equal to 1e-4, not in bits.
SAME = 1e-4


@pytest.fixture(params=["qwen3_moe", "llama"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    return load_base(write_base(tmp_path, request.param))


def difference(one: Adapter, two: Adapter) -> float:
    """Largest absolute difference of any weight."""
    assert one.pairs.keys() == two.pairs.keys()
    return max(
        (a - b).abs().max().item()
        for path in one.pairs
        for a, b in zip(one.pairs[path], two.pairs[path], strict=True)
    )


def start_of(model: PreTrainedModel, plan: UserPlan, spec: LoraSpec) -> Adapter:
    stack = StackedLora.attach(model, spec, 1)
    shapes = stack_shapes(stack)
    stack.detach()
    return fresh_adapter(spec, shapes, torch.Generator().manual_seed(plan.init_seed))


def train_with_peft(model: PreTrainedModel, plan: UserPlan, config: TrainConfig, folder: Path) -> Adapter:
    """The same user with stock PEFT, torch's AdamW and clipping, one row after the other."""
    write_peft(start_of(model, plan, config.spec), folder, base_ref="tiny")
    peft = PeftModel.from_pretrained(model, folder, is_trainable=True)
    trained = {name: p for name, p in peft.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=1.0, weight_decay=config.weight_decay)
    for step, rows in enumerate(plan.steps):
        optimizer.param_groups[0]["lr"] = learning_rate(step, len(plan.steps), config)
        losses = []
        for row in rows:
            logits = peft(torch.tensor([row.tokens])).logits[0, row.first_learned - 1 : -1]
            targets = torch.tensor(row.tokens[row.first_learned :])
            losses.append(torch.nn.functional.cross_entropy(logits, targets, reduction="none"))
        optimizer.zero_grad()
        torch.cat(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), config.clip_norm)
        optimizer.step()
    pairs = {
        name.removeprefix("base_model.model.").removesuffix(".lora_A.default.weight"): LoraPair(
            A.detach(), trained[name.replace("lora_A", "lora_B")].detach()
        )
        for name, A in trained.items()
        if "lora_A" in name
    }
    peft.unload()
    return Adapter(config.spec, pairs)


@pytest.mark.parametrize("first_layer", [0, 1])
def test_trained_together_equals_each_alone_and_peft(base: Base, tmp_path: Path, first_layer: int) -> None:
    """Both ways of the promise, with users that run out of rows at different steps and two waves."""
    config = replace(CONFIG, spec=replace(CONFIG.spec, first_layer=first_layer))
    together = train_adapters(base, DATA, config)
    assert list(together) == list(DATA)
    plans = {plan.user: plan for plan in plan_users(DATA, config, vocabulary=VOCAB)}
    for user, rows in DATA.items():
        alone = train_adapters(base, {user: rows}, replace(config, slots=1))[user]
        assert difference(together[user].adapter, alone.adapter) < SAME
        assert together[user].losses == pytest.approx(alone.losses, abs=1e-4)
        peft = train_with_peft(base.model, plans[user], config, tmp_path / user)
        assert difference(together[user].adapter, peft) < SAME
        assert difference(together[user].adapter, start_of(base.model, plans[user], config.spec)) > 10 * SAME


def test_bases_without_packed_attention_are_trained_padded_with_equal_results(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = train_adapters(base, DATA, CONFIG)
    monkeypatch.setattr("adapters.training.forward.supports_packing", lambda model, longest: False)
    padded = train_adapters(base, DATA, CONFIG)
    for user in DATA:
        assert difference(packed[user].adapter, padded[user].adapter) < SAME


@pytest.mark.parametrize("first_layer", [0, 1])
def test_what_changes_speed_and_memory_changes_no_result(tiny_random_base: Base, first_layer: int) -> None:
    """Nothing kept from epoch to epoch, a part (32 tokens of 128 bytes), or all."""
    config = replace(CONFIG, spec=replace(CONFIG.spec, first_layer=first_layer))
    one = train_adapters(tiny_random_base, DATA, config)
    others: list[dict[str, Any]] = [
        {"slots": 5, "tokens_per_pass": 1},
        {"cache_gib": 0.0, "checkpoint_activations": True},
        {"cache_gib": 32 * 128 / 2**30},
    ]
    for changed in others:
        other = train_adapters(tiny_random_base, DATA, replace(config, **changed))
        for user in DATA:
            assert difference(one[user].adapter, other[user].adapter) < SAME


def test_a_run_cut_off_may_go_on_with_other_settings_of_speed_and_memory(
    tiny_random_base: Base, tmp_path: Path
) -> None:
    config = replace(CONFIG, spec=replace(CONFIG.spec, first_layer=1), checkpoint_every=2)

    def cut(progress: Progress) -> None:
        if progress.rows_done >= 18:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        train_adapters(tiny_random_base, DATA, config, checkpoint_dir=tmp_path, on_progress=cut)
    frugal = replace(config, tokens_per_pass=30, checkpoint_activations=True, cache_gib=0)
    result = train_adapters(tiny_random_base, DATA, frugal, checkpoint_dir=tmp_path)
    expected = train_adapters(tiny_random_base, DATA, config)
    for user in DATA:
        assert difference(expected[user].adapter, result[user].adapter) < SAME


def test_the_same_run_twice_gives_the_same_bits_and_another_seed_does_not(tiny_random_base: Base) -> None:
    data = {"ada": DATA["ada"], "ben": DATA["ben"]}
    one, two = (train_adapters(tiny_random_base, data, CONFIG)["ada"].adapter for _ in range(2))
    assert difference(one, two) == 0
    other = train_adapters(tiny_random_base, data, replace(CONFIG, seed=8))["ada"].adapter
    assert difference(one, other) > 10 * SAME


def test_training_lowers_the_loss_and_leaves_the_base_as_it_was(tiny_random_base: Base) -> None:
    model = tiny_random_base.model
    modules, weights = dict(model.named_modules()), {k: v.clone() for k, v in model.state_dict().items()}
    config = replace(CONFIG, epochs=12, learning_rate=1e-2, decay="cosine")
    result = train_adapters(tiny_random_base, {"ada": DATA["ada"]}, config)["ada"]
    assert sum(result.losses[-3:]) < 0.9 * sum(result.losses[:3])
    assert len(result.losses) == 12 * 3
    assert result.tokens == 12 * sum(len(row.tokens) for row in DATA["ada"])
    assert dict(model.named_modules()) == modules
    assert model.config._attn_implementation == "sdpa"
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())


class PowerCutError(Exception):
    """Stands for a power cut in the middle of a run."""


# Rows after each step, first wave: 9, 17, 23, 31, 37, 40; second: 43, 46. Checkpoints after every second step.
@pytest.mark.parametrize(
    ("first_layer", "rows_before_the_cut", "steps_left"),
    [(0, 1, 8), (1, 1, 8), (0, 18, 6), (1, 18, 6), (0, 40, 4), (0, 43, 2)],
)
def test_a_run_cut_off_goes_on_from_its_checkpoints_exactly(
    tiny_random_base: Base, tmp_path: Path, first_layer: int, rows_before_the_cut: int, steps_left: int
) -> None:
    """Cuts in the first wave, at its end and in the second; whatever follows is the same in bits."""
    config = replace(CONFIG, spec=replace(CONFIG.spec, first_layer=first_layer), checkpoint_every=2)
    reports: list[Progress] = []

    def cut(progress: Progress) -> None:
        if progress.rows_done >= rows_before_the_cut:
            raise PowerCutError

    expected = train_adapters(tiny_random_base, DATA, config, on_progress=reports.append)
    with pytest.raises(PowerCutError):
        train_adapters(tiny_random_base, DATA, config, checkpoint_dir=tmp_path, on_progress=cut)
    resumed: list[Progress] = []
    result = train_adapters(
        tiny_random_base, DATA, config, checkpoint_dir=tmp_path, on_progress=resumed.append
    )
    again = train_adapters(tiny_random_base, DATA, config, checkpoint_dir=tmp_path)
    for user in DATA:
        assert difference(expected[user].adapter, result[user].adapter) == 0
        assert difference(expected[user].adapter, again[user].adapter) == 0
        assert expected[user].losses == result[user].losses == again[user].losses
    assert resumed == reports[-steps_left:]


def test_progress_counts_rows_and_users_to_the_end(tiny_random_base: Base) -> None:
    reports: list[Progress] = []
    train_adapters(tiny_random_base, DATA, CONFIG, on_progress=reports.append)
    rows = CONFIG.epochs * sum(map(len, DATA.values()))
    assert [r.rows_done for r in reports] == sorted(r.rows_done for r in reports)
    assert (reports[-1].users_done, reports[-1].users) == (len(DATA), len(DATA))
    assert (reports[-1].rows_done, reports[-1].rows) == (rows, rows)


def test_a_loss_that_is_not_finite_names_the_user(tiny_random_base: Base) -> None:
    embedding = tiny_random_base.model.get_input_embeddings().weight
    embedding.data[300] = float("nan")
    data = {**DATA, "zoe": [Example((1, 300, 2), learn_from=1)]}
    with pytest.raises(TrainingError, match="user 'zoe': the loss is not finite in step 1"):
        train_adapters(tiny_random_base, data, replace(CONFIG, slots=6))


def test_what_cannot_work_is_refused_before_the_first_step(tiny_random_base: Base, tmp_path: Path) -> None:
    reports: list[Progress] = []
    for data in ({}, {**DATA, "nil": []}):
        with pytest.raises(TrainingError):
            train_adapters(tiny_random_base, data, CONFIG, on_progress=reports.append)
    spec = LoraSpec(targets=("q_prj",))
    with pytest.raises(BaseMismatchError, match="q_prj"):
        train_adapters(tiny_random_base, DATA, replace(CONFIG, spec=spec), on_progress=reports.append)
    assert not reports


def test_checkpoints_of_another_run_are_refused(tiny_random_base: Base, tmp_path: Path) -> None:
    data = {"eve": DATA["eve"]}
    train_adapters(tiny_random_base, data, CONFIG, checkpoint_dir=tmp_path)
    with pytest.raises(TrainingError, match="other settings, base or data"):
        train_adapters(tiny_random_base, data, replace(CONFIG, seed=8), checkpoint_dir=tmp_path)
    with pytest.raises(TrainingError, match="other settings, base or data"):
        train_adapters(tiny_random_base, {"eve": DATA["cy"]}, CONFIG, checkpoint_dir=tmp_path)
