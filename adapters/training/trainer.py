"""Many users' adapters trained at once on one frozen base; each ends as if it had been trained alone.

Users are trained in waves of `slots`. In a step every user of the wave that has rows left contributes some;
all go through the base together, each under its own slot. Since losses are averaged per user and
gradients of different slots never mix, clipping, AdamW and schedules per slot make the result that of separate
runs, up to rounding (tested: 1e-4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from adapters.bases.loader import Base
from adapters.errors import TrainingError
from adapters.lora.adapter import Adapter
from adapters.lora.inits import fresh_adapter, stack_shapes
from adapters.lora.layers import StackedLora
from adapters.training.batches import RowForward, SlotRows
from adapters.training.checkpoint import Checkpoints, WaveState
from adapters.training.config import SPEED_ONLY, TrainConfig
from adapters.training.data import Example, UserPlan, data_fingerprint, plan_users
from adapters.training.forward import row_forward
from adapters.training.heap import keep_freed_memory
from adapters.training.optimizer import StackedAdamW
from adapters.training.schedule import learning_rate


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after an optimizer step.

    Args:
        users_done: users whose training is finished.
        users: of the whole run.
        rows_done: rows trained on, each epoch counted, those before a resume included.
        rows: of the whole run.
        loss: mean over the users in this step of their mean −log p per learned token, in nats.
    """

    users_done: int
    users: int
    rows_done: int
    rows: int
    loss: float


@dataclass(frozen=True, slots=True)
class TrainedAdapter:
    """What training one user gave.

    Args:
        adapter: on the CPU, float32.
        losses: mean −log p per learned token of each optimizer step, in nats, before the step.
        tokens: tokens in the rows trained on, each epoch counted.
        skipped_rows: rows left out because they are longer than `max_tokens`.
    """

    adapter: Adapter
    losses: tuple[float, ...]
    tokens: int
    skipped_rows: int


def train_adapters(
    base: Base,
    data: Mapping[str, Sequence[Example]],
    config: TrainConfig,
    *,
    checkpoint_dir: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, TrainedAdapter]:
    """Train one adapter per user.

    Args:
        base: frozen; carries stacked adapters meanwhile, and is as before afterwards.
        data: user → rows.
        config: the same for all users.
        checkpoint_dir: where to keep checkpoints; a run that was cut off goes on from there, exactly.
            The files stay when the run is finished.
        on_progress: called after each optimizer step.

    Returns:
        User → result, in the order of `data`.

    Raises:
        TrainingError: data or settings that cannot work, before the first step; or a loss or gradient that
            is not finite, naming the user.
        BaseMismatchError: the base has no linears of the spec's names.
    """
    keep_freed_memory()
    plans = plan_users(data, config, vocabulary=base.model.config.vocab_size)
    checkpoints = Checkpoints(checkpoint_dir, _identity(base, data, config)) if checkpoint_dir else None
    waves = [plans[i : i + config.slots] for i in range(0, len(plans), config.slots)]
    counter = _Counter(plans, on_progress)
    results: dict[str, TrainedAdapter] = {}
    stack = StackedLora.attach(base.model, config.spec, min(config.slots, len(plans)), dtype=torch.float32)
    longest = max(len(row.tokens) for plan in plans for step in plan.steps for row in step)
    try:
        with row_forward(base.model, stack, config, longest) as forward:
            for number, wave in enumerate(waves):
                results |= _Wave(wave, number, stack, forward, config, checkpoints, counter).run()
    finally:
        stack.detach()
    return {user: results[user] for user in data}


class _Counter:
    """Counts rows over waves and reports them."""

    def __init__(self, plans: Sequence[UserPlan], report: Callable[[Progress], None] | None) -> None:
        self._report = report
        self._users = len(plans)
        self._rows = sum(len(step) for plan in plans for step in plan.steps)
        self._users_done = 0
        self._rows_done = 0

    def advance(self, users_done: int, rows: int, loss: float | None) -> None:
        """Count a step's users that are now done and its rows; without a loss, count silently."""
        self._users_done += users_done
        self._rows_done += rows
        if self._report is not None and loss is not None:
            self._report(Progress(self._users_done, self._users, self._rows_done, self._rows, loss))


class _Wave:
    """Users trained together, user i in slot i."""

    def __init__(
        self,
        plans: Sequence[UserPlan],
        number: int,
        stack: StackedLora,
        forward: RowForward,
        config: TrainConfig,
        checkpoints: Checkpoints | None,
        counter: _Counter,
    ) -> None:
        self._plans = plans
        self._number = number
        self._stack = stack
        self._forward = forward
        self._config = config
        self._checkpoints = checkpoints
        self._counter = counter
        self._steps_done = 0
        self._losses: dict[str, list[float]] = {plan.user: [] for plan in plans}
        self._parameters: dict[str, Tensor] = {}
        for path, layer in stack.layers.items():
            self._parameters |= {f"{path}.A": layer.A, f"{path}.B": layer.B}
        for parameter in self._parameters.values():
            parameter.requires_grad_(True)
            parameter.grad = None
        self._optimizer = StackedAdamW(
            self._parameters.values(), weight_decay=config.weight_decay, clip_norm=config.clip_norm
        )

    @property
    def _steps(self) -> int:
        return max(len(plan.steps) for plan in self._plans)

    def run(self) -> dict[str, TrainedAdapter]:
        """Start or resume, take all steps left, hand out the adapters."""
        self._start()
        if self._config.epochs > 1 and self._steps_done < self._steps:
            users = [SlotRows(slot, plan.distinct_rows) for slot, plan in enumerate(self._plans)]
            self._forward.expect(users, self._config.tokens_per_pass)
        while self._steps_done < self._steps:
            self._step()
            self._steps_done += 1
            if self._steps_done % self._config.checkpoint_every == 0 or self._steps_done == self._steps:
                self._save()
        return {plan.user: self._result(slot, plan) for slot, plan in enumerate(self._plans)}

    def _start(self) -> None:
        state = self._checkpoints.load(self._number) if self._checkpoints else None
        if state is None:
            shapes = stack_shapes(self._stack)
            for slot, plan in enumerate(self._plans):
                generator = torch.Generator().manual_seed(plan.init_seed)
                self._stack.load(slot, fresh_adapter(self._config.spec, shapes, generator))
            return
        self._steps_done = state.steps_done
        self._losses = {user: list(losses) for user, losses in state.losses.items()}
        with torch.no_grad():
            for name, tensor in self._state_tensors().items():
                tensor.copy_(state.tensors[name])
        for step in range(self._steps_done):
            self._count(step, loss=None)

    def _step(self) -> None:
        batch = [
            SlotRows(slot, plan.steps[self._steps_done])
            for slot, plan in enumerate(self._plans)
            if self._steps_done < len(plan.steps)
        ]
        losses = self._backward(batch)
        gradients = self._optimizer.take_gradients()
        self._check_finite("loss", losses)
        self._check_finite("gradient norm", gradients.norm(dim=1))
        rates = torch.zeros_like(losses)
        for entry in batch:
            plan = self._plans[entry.slot]
            rates[entry.slot] = learning_rate(self._steps_done, len(plan.steps), self._config)
            self._losses[plan.user].append(losses[entry.slot].item())
        self._optimizer.step(rates, gradients)
        self._count(self._steps_done, loss=sum(losses[e.slot].item() for e in batch) / len(batch))

    def _backward(self, batch: Sequence[SlotRows]) -> Tensor:
        """Gradients of each user's mean loss into its slot; returns the means, [S]."""
        shares = torch.zeros(self._stack.n_slots)
        for entry in batch:
            shares[entry.slot] = 1 / sum(len(row.targets) for row in entry.rows)
        shares = shares.to(next(iter(self._parameters.values())).device)
        losses = torch.zeros_like(shares)
        for part in self._forward.passes(batch, self._config.tokens_per_pass):
            nll, slots = self._forward(part)
            weighted = nll * shares[slots]
            weighted.sum().backward()  # type: ignore[no-untyped-call] # torch leaves it untyped
            losses.index_add_(0, slots, weighted.detach())
        return losses

    def _check_finite(self, what: str, values: Tensor) -> None:
        broken = [
            plan.user
            for plan, value in zip(self._plans, values.tolist(), strict=False)
            if not isfinite(value)
        ]
        if broken:
            raise TrainingError(
                f"user {', '.join(map(repr, broken))}: the {what} is not finite in step {self._steps_done + 1}; lower "
                f"learning_rate ({self._config.learning_rate:g}), or leave out this user's rows of that step"
            )

    def _count(self, step: int, loss: float | None) -> None:
        done = sum(len(plan.steps) == step + 1 for plan in self._plans)
        rows = sum(len(plan.steps[step]) for plan in self._plans if step < len(plan.steps))
        self._counter.advance(done, rows, loss)

    def _save(self) -> None:
        if self._checkpoints is not None:
            state = WaveState(self._steps_done, self._losses, self._state_tensors())
            self._checkpoints.save(self._number, state)

    def _state_tensors(self) -> dict[str, Tensor]:
        optimizer = {f"optimizer.{name}": tensor for name, tensor in self._optimizer.state().items()}
        return {**self._parameters, **optimizer}

    def _result(self, slot: int, plan: UserPlan) -> TrainedAdapter:
        return TrainedAdapter(
            adapter=self._stack.export(slot),
            losses=tuple(self._losses[plan.user]),
            tokens=sum(len(row.tokens) for step in plan.steps for row in step),
            skipped_rows=plan.skipped_rows,
        )


def _identity(base: Base, data: Mapping[str, Sequence[Example]], config: TrainConfig) -> str:
    """SHA-256 (hex) over all that decides the result and who trains with whom.

    Someone whose memory ran out may go on with other settings of speed and memory.
    """
    rows = {user: data_fingerprint(examples) for user, examples in data.items()}
    settings = {k: v for k, v in config.as_dict().items() if k == "slots" or k not in SPEED_ONLY}
    record = {"base": base.fingerprint, "config": settings, "data": rows}
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
