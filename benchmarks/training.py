"""Training many adapters at once: against PEFT one user after another, and against the bare base.

All train on the same rows in the same order from the same starts, and what both ways end with is compared in the run
that is timed: by the weight that differs most, and by the whole update ΔW = s·B·A, whose difference is given as a share
of its norm. AdamW divides a gradient by its own size, so a weight whose gradient is next to nothing may part by more
than rounding, and of a million weights some do: the second figure says what that amounts to.

On the shipped base the limit is the frozen base alone: forward and backward of the very same packed batches, without
adapters and without an optimizer. SmolLM2, where it was fetched, is dense and bound by arithmetic; there time is won by
doing less: no padding, and with adapters on the upper layers only what enters these is kept from epoch to epoch.

    python -m benchmarks.training [--quick] [--json]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from adapters.bases.decoder import Decoder, packed_attend
from adapters.bases.loader import Base, load_base
from adapters.errors import BaseModelError
from adapters.lora.adapter import Adapter
from adapters.lora.difference import compare_updates
from adapters.lora.packed_attention import AttentionPlan
from adapters.lora.packing import pack
from adapters.training.batches import SlotRows, learned_targets
from adapters.training.config import TrainConfig
from adapters.training.data import Example, UserPlan, plan_users
from adapters.training.frozen_mlp import frozen_mlps
from adapters.training.frozen_norms import frozen_norms
from adapters.training.packed_forward import asking_places, packed_passes
from adapters.training.token_loss import linear_cross_entropy
from adapters.training.trainer import TrainedAdapter, train_adapters
from benchmarks.harness import Case, Figure, Goal, Results, main, ratios, seconds, take_turns
from benchmarks.peft_trainer import PeftTrainer

OVER_PEFT = "stacked over one by one"
OVER_LIMIT = "stacked over the frozen-base limit"
UPPER_OVER_PEFT = "stacked, upper layers, over one by one, all layers"
SAME = 1e-4


@dataclass(frozen=True, slots=True)
class Setting:
    """One case.

    Args:
        name: what the rows are like.
        base: its name.
        users: adapters trained at once.
        peft_users: of these, also trained one by one; the time of one user does not depend on the others.
        rows: of each user.
        prompt: tokens at the start of all rows of a user, not learned.
        shortest: learned tokens of the shortest row.
        longest: learned tokens of the longest row.
        epochs: passes over the rows.
        upper_from: also train adapters on the layers from this one on only; 0 does not.
        goals: by name, those that are promised for the case.
    """

    name: str
    base: str
    users: int
    peft_users: int
    rows: int
    prompt: int
    shortest: int
    longest: int
    epochs: int
    upper_from: int
    goals: tuple[tuple[str, float], ...]


_TOY = Setting(
    "bare posts, 16 to 33 tokens",
    base="tiny-moe",
    users=64,
    peft_users=64,
    rows=40,
    prompt=1,
    shortest=16,
    longest=33,
    epochs=1,
    upper_from=0,
    goals=((OVER_PEFT, 2.2), (OVER_LIMIT, 0.9)),
)
# Tweets in SmolLM2's tokens: a tenth has 12 or fewer, a tenth 38 or more.
_SMALL = Setting(
    "SmolLM2, bare posts of 8 to 42 tokens, three epochs",
    base="smollm2",
    users=8,
    peft_users=2,
    rows=16,
    prompt=1,
    shortest=8,
    longest=42,
    epochs=3,
    upper_from=20,
    goals=((OVER_PEFT, 1.35), (UPPER_OVER_PEFT, 3.0)),
)
FULL = (
    _TOY,
    replace(_TOY, name="posts under a prompt, 84 to 101 tokens", prompt=68, peft_users=16),
    _SMALL,
    replace(_SMALL, name="SmolLM2, the same posts under a prompt of 70 tokens", prompt=70, peft_users=1),
)
QUICK = (
    replace(_TOY, users=4, peft_users=2, rows=8),
    replace(_TOY, name="posts under a prompt, 84 to 101 tokens", prompt=68, users=4, peft_users=2, rows=8),
    replace(_SMALL, users=2, peft_users=1, rows=4),
)


def measure(quick: bool) -> Results:
    """Time all cases whose base is there."""
    results = Results()
    for setting in QUICK if quick else FULL:
        try:
            base = load_base(setting.base)
        except BaseModelError as error:
            results.cases.append(Case(setting.name, {"left out": str(error)}, {}))
            continue
        _measure_case(setting, base, results)
    return results


def _measure_case(setting: Setting, base: Base, results: Results) -> None:
    config = TrainConfig(epochs=setting.epochs)
    upper = replace(config, spec=replace(config.spec, first_layer=setting.upper_from))
    data = _rows(setting, base.vocabulary)
    plans = plan_users(data, config, vocabulary=base.vocabulary)
    alone = [plan for plan in plans if plan.user in list(data)[: setting.peft_users]]
    trained: dict[str, TrainedAdapter] = {}
    peer = PeftTrainer(base, config)
    ended: dict[str, Adapter] = {}
    contestants = {
        "stacked": lambda: _rate(len(plans), lambda: trained.update(train_adapters(base, data, config))),
        "PEFT, one by one": lambda: _rate(
            len(alone), lambda: ended.update({plan.user: peer.train(plan) for plan in alone})
        ),
    }
    goals = dict(setting.goals)
    rivals = {OVER_PEFT: ("stacked", "PEFT, one by one")}
    if setting.upper_from:
        name = f"stacked, layers from {setting.upper_from} on"
        contestants[name] = lambda: _rate(len(plans), lambda: train_adapters(base, data, upper))
        rivals[UPPER_OVER_PEFT] = (name, "PEFT, one by one")
    if OVER_LIMIT in goals:
        limit = "frozen base, no adapters"
        contestants[limit] = lambda: _rate(len(plans), lambda: _forward_backward(base, plans, config))
        rivals[OVER_LIMIT] = ("stacked", limit)
    measured = take_turns(contestants)
    pairs = [(trained[user].adapter, adapter) for user, adapter in ended.items()]
    difference = max(_difference(ours, theirs) for ours, theirs in pairs)
    figures = {f"{name}, adapters/hour": Figure.of(values) for name, values in measured.items()}
    figures["largest weight difference to PEFT"] = Figure.of([difference])
    figures["difference of updates to PEFT, share of their norm"] = Figure.of(
        [_update_difference(ours, theirs) for ours, theirs in pairs]
    )
    results.cases.append(Case(setting.name, asdict(setting), figures))
    for name, goal in goals.items():
        ours, theirs = (measured[rival] for rival in rivals[name])
        results.goals.append(Goal(f"{name}, {setting.name}", ratios(ours, theirs).median, goal))
    same = Goal(f"largest weight difference to PEFT, {setting.name}", difference, SAME, at_least=False)
    results.goals.append(same)


def _rows(setting: Setting, vocabulary: int) -> dict[str, list[Example]]:
    rng = np.random.default_rng(0)

    def tokens(n: int) -> tuple[int, ...]:
        return tuple(rng.integers(3, vocabulary, n).tolist())

    data = {}
    for user in range(setting.users):
        prompt = tokens(setting.prompt)
        lengths = rng.integers(setting.shortest, setting.longest + 1, setting.rows).tolist()
        rows = [(*prompt, *tokens(length)) for length in lengths]
        data[f"user-{user}"] = [Example(row, learn_from=setting.prompt) for row in rows]
    return data


def _rate(users: int, work: Callable[[], object]) -> float:
    """Adapters per hour."""
    return 3600 * users / seconds(work)


def _forward_backward(base: Base, plans: Sequence[UserPlan], config: TrainConfig) -> None:
    """The base's share of training `plans`: losses, and gradients down to its first layer's input."""
    decoder, head = Decoder(base.model), base.model.get_output_embeddings().weight
    with frozen_norms(base.model), frozen_mlps(base.model):
        for part in _all_passes(plans, config):
            packed = pack([[row.inputs for row in entry.rows] for entry in part])
            embedded = decoder.embed(packed.input_ids).requires_grad_()
            angles = decoder.angles(embedded, packed.position_ids)
            hidden = decoder.run(embedded, angles, packed_attend(AttentionPlan.of(packed)))
            asking = decoder.norm(hidden).squeeze(0).index_select(0, asking_places(part, packed))
            linear_cross_entropy(asking, head, learned_targets(part)).mean().backward()


def _all_passes(plans: Sequence[UserPlan], config: TrainConfig) -> Iterator[list[SlotRows]]:
    """The passes that `train_adapters` makes; all users have as many steps."""
    for start in range(0, len(plans), config.slots):
        wave = plans[start : start + config.slots]
        for step in range(len(wave[0].steps)):
            batch = [SlotRows(slot, plan.steps[step]) for slot, plan in enumerate(wave)]
            yield from packed_passes(batch, config.tokens_per_pass)


def _difference(one: Adapter, two: Adapter) -> float:
    """Largest absolute difference of any weight."""
    pairs = ((a, b) for path in one.pairs for a, b in zip(one.pairs[path], two.pairs[path], strict=True))
    return max(float((a - b).abs().max()) for a, b in pairs)


def _update_difference(ours: Adapter, theirs: Adapter) -> float:
    """‖ΔW − ΔW′‖ / ‖ΔW′‖ over all linears together."""
    compared = compare_updates(ours, theirs)["all"]
    assert compared.difference is not None, "both are adapters of one base"
    return compared.difference / compared.norm_other


if __name__ == "__main__":
    raise SystemExit(main("Training: adapters per hour", measure))
