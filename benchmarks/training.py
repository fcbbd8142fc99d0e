"""Training many adapters at once: against PEFT one user after another, and against the bare base.

All train on the same rows in the same order from the same starts, and the weights that both ways end with
are compared in the run that is timed. The limit is the frozen base alone: forward and backward of the very
same packed batches, without adapters and without an optimizer.

    python -m benchmarks.training [--quick] [--json]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from adapters.bases.loader import Base, load_base
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.inits import fresh_adapter
from adapters.lora.packed_attention import packed_attention, packed_inputs
from adapters.lora.packing import pack
from adapters.training.config import TrainConfig
from adapters.training.data import Example, UserPlan, plan_users
from adapters.training.forward import SlotRows, asking_places, learned_targets, packed_cost, passes
from adapters.training.frozen_norms import frozen_norms
from adapters.training.schedule import learning_rate
from adapters.training.token_loss import linear_cross_entropy
from adapters.training.trainer import TrainedAdapter, train_adapters
from benchmarks.harness import Case, Figure, Goal, Results, main, ratios, seconds, take_turns

GOALS = {"stacked over one by one": 2.2, "stacked over the frozen-base limit": 0.9}
SAME = 1e-4
BASE = "tiny-moe"


@dataclass(frozen=True, slots=True)
class Setting:
    """One case.

    Args:
        name: what the rows are like.
        users: adapters trained at once.
        peft_users: of these, also trained one by one; the time of one user does not depend on the others.
        rows: of each user.
        prompt: tokens at the start of all rows of a user, not learned.
    """

    name: str
    users: int
    peft_users: int
    rows: int
    prompt: int


FULL = (
    Setting("bare posts, 16 to 33 tokens", users=64, peft_users=64, rows=40, prompt=1),
    Setting("posts under a prompt, 84 to 101 tokens", users=64, peft_users=16, rows=40, prompt=68),
)
QUICK = (
    Setting("bare posts, 16 to 33 tokens", users=4, peft_users=2, rows=8, prompt=1),
    Setting("posts under a prompt, 84 to 101 tokens", users=4, peft_users=2, rows=8, prompt=68),
)
CONFIG = TrainConfig(epochs=1)


def measure(quick: bool) -> Results:
    """Time all cases on the shipped base."""
    base, results = load_base(BASE), Results()
    for setting in QUICK if quick else FULL:
        _measure_case(setting, base, results)
    return results


def _measure_case(setting: Setting, base: Base, results: Results) -> None:
    data = _rows(setting, base.model.config.vocab_size)
    plans = plan_users(data, CONFIG, vocabulary=base.model.config.vocab_size)
    alone = [plan for plan in plans if plan.user in list(data)[: setting.peft_users]]
    trained: dict[str, TrainedAdapter] = {}
    peer = _PeftPeer(base)
    ended: dict[str, Adapter] = {}
    an_hour = {
        "stacked": lambda: _rate(len(plans), lambda: trained.update(train_adapters(base, data, CONFIG))),
        "PEFT, one by one": lambda: _rate(len(alone), lambda: ended.update(peer.train(alone))),
        "frozen base, no adapters": lambda: _rate(len(plans), lambda: _forward_backward(base, plans)),
    }
    measured = take_turns(an_hour)
    difference = max(_difference(trained[user].adapter, adapter) for user, adapter in ended.items())
    stacked, one_by_one, limit = measured.values()
    figures = {f"{name}, adapters/hour": Figure.of(values) for name, values in measured.items()}
    figures["largest weight difference to PEFT"] = Figure.of([difference])
    results.cases.append(Case(setting.name, asdict(setting), figures))
    for (name, goal), others in zip(GOALS.items(), (one_by_one, limit), strict=True):
        results.goals.append(Goal(f"{name}, {setting.name}", ratios(stacked, others).median, goal))
    same = Goal(f"largest weight difference to PEFT, {setting.name}", difference, SAME, at_least=False)
    results.goals.append(same)


def _rows(setting: Setting, vocabulary: int) -> dict[str, list[Example]]:
    rng = np.random.default_rng(0)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(rng.integers(3, vocabulary, n).tolist())

    data = {}
    for user in range(setting.users):
        prompt = tokens(setting.prompt)
        rows = [(*prompt, *tokens(int(rng.integers(16, 34)))) for _ in range(setting.rows)]
        data[f"user-{user}"] = [Example(row, learn_from=setting.prompt) for row in rows]
    return data


def _rate(users: int, work: Callable[[], object]) -> float:
    """Adapters per hour."""
    return 3600 * users / seconds(work)


def _forward_backward(base: Base, plans: Sequence[UserPlan]) -> None:
    """The base's share of training `plans`: losses, and gradients down to its first layer's input."""
    embed, head = base.model.get_input_embeddings(), base.model.get_output_embeddings().weight
    with packed_attention(base.model), frozen_norms(base.model):
        for part in _all_passes(plans):
            packed = pack([[row.inputs for row in entry.rows] for entry in part])
            inputs = packed_inputs(packed)
            embedded = embed(inputs.pop("input_ids")).requires_grad_()
            hidden = base.model.base_model(inputs_embeds=embedded, **inputs).last_hidden_state.squeeze(0)
            asking = hidden.index_select(0, asking_places(part, packed))
            linear_cross_entropy(asking, head, learned_targets(part)).mean().backward()


def _all_passes(plans: Sequence[UserPlan]) -> Iterator[list[SlotRows]]:
    """The passes that `train_adapters` makes; all users have as many steps."""
    for start in range(0, len(plans), CONFIG.slots):
        wave = plans[start : start + CONFIG.slots]
        for step in range(len(wave[0].steps)):
            batch = [SlotRows(slot, plan.steps[step]) for slot, plan in enumerate(wave)]
            yield from passes(batch, packed_cost, CONFIG.tokens_per_pass)


class _PeftPeer:
    """Stock transformers and PEFT with torch's AdamW: a user's rows of a step padded to one batch."""

    def __init__(self, base: Base) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
        spec = CONFIG.spec
        config = LoraConfig(r=spec.rank, lora_alpha=int(spec.alpha), target_modules=list(spec.targets))
        self._model = get_peft_model(model, config).eval()
        linears = {
            name.removeprefix("base_model.model."): module
            for name, module in self._model.named_modules()
            if hasattr(module, "lora_A")
        }
        self._factors = {
            path: LoraPair(linear.lora_A["default"].weight, linear.lora_B["default"].weight)
            for path, linear in linears.items()
        }

    def train(self, plans: Sequence[UserPlan]) -> dict[str, Adapter]:
        """Train the users one after another."""
        return {plan.user: self._train(plan) for plan in plans}

    def _train(self, plan: UserPlan) -> Adapter:
        parameters = [factor for pair in self._factors.values() for factor in pair]
        shapes = {path: (A.shape[1], B.shape[0]) for path, (A, B) in self._factors.items()}
        start = fresh_adapter(CONFIG.spec, shapes, torch.Generator().manual_seed(plan.init_seed))
        with torch.no_grad():
            for path, pair in start.pairs.items():
                for ours, theirs in zip(pair, self._factors[path], strict=True):
                    theirs.copy_(ours)
        optimizer = torch.optim.AdamW(parameters, weight_decay=CONFIG.weight_decay)
        for step, rows in enumerate(plan.steps):
            optimizer.param_groups[0]["lr"] = learning_rate(step, len(plan.steps), CONFIG)
            optimizer.zero_grad()
            self._model(**_padded(rows)).loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, CONFIG.clip_norm)
            optimizer.step()
        ended = {
            path: LoraPair(A.detach().clone(), B.detach().clone()) for path, (A, B) in self._factors.items()
        }
        return Adapter(CONFIG.spec, ended)


def _padded(rows: Sequence[Example]) -> dict[str, Tensor]:
    """Input ids, attention mask and labels as transformers takes them."""
    width = max(len(row.tokens) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, row in enumerate(rows):
        length = len(row.tokens)
        ids[i, :length], mask[i, :length] = torch.tensor(row.tokens), 1
        labels[i, row.first_learned : length] = ids[i, row.first_learned : length]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _difference(one: Adapter, two: Adapter) -> float:
    """Largest absolute difference of any weight."""
    pairs = ((a, b) for path in one.pairs for a, b in zip(one.pairs[path], two.pairs[path], strict=True))
    return max(float((a - b).abs().max()) for a, b in pairs)


if __name__ == "__main__":
    raise SystemExit(main("Training: adapters per hour", measure))
