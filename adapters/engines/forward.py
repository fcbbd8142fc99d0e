"""Forward passes of one base model: prompts packed without padding, single tokens over a pool, whole texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from adapters.bases.decoder import Angles, Attend, Decoder, packed_attend
from adapters.engines.kv_pool import KvPool, Reach
from adapters.engines.passes import Pass
from adapters.lora.layers import StackedLora
from adapters.lora.packed_attention import AttentionPlan
from adapters.lora.packing import Packed

_HEAD_TOKENS = 256
"""Tokens whose logits are in memory at once while texts are scored."""


class Forward:
    """The passes an engine needs, under `torch.inference_mode`.

    Args:
        model: a causal language model of transformers, frozen.

    Raises:
        BaseModelError: an architecture whose layers are not known to be plain.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._config = model.config
        self._decoder = Decoder(model)
        self._top = self._decoder.layers - 1
        self._head = model.get_output_embeddings()
        self._dtype = model.dtype
        self.device = model.device

    def new_pool(self, capacity: int) -> KvPool:
        """A pool for `capacity` tokens."""
        config = self._config
        dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return KvPool(
            self._decoder.layers, capacity, config.num_key_value_heads, dim, self._dtype, self.device
        )

    def prompts(self, one_pass: Pass, stack: StackedLora | None, pool: KvPool, first_row: int) -> Tensor:
        """Read prompts into the pool's rows from `first_row` on, in the order of packing.

        Args:
            one_pass: the prompts.
            stack: the slots, or None while there are none.

        Returns:
            Logits after each prompt, [prompts, vocabulary], float32.
        """
        packed = one_pass.packed
        rows = enumerate(packed.homes, first_row)
        slots = self._long(np.concatenate([row * pool.length + np.arange(len(home)) for row, home in rows]))

        def keeping(laid_out: Packed) -> Attend:
            attend = packed_attend(AttentionPlan.of(laid_out))
            places = self._long(np.concatenate(laid_out.homes))

            def keep_and_attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
                pool.keep(layer, slots, key[0, places], value[0, places])
                return attend(layer, query, key, value)

            return keep_and_attend

        hidden, angles, first = self._start(one_pass, keeping)
        with _segments(stack, one_pass):
            hidden = self._decoder.run(hidden, angles, keeping(packed), first=first, last=self._top)
            kept = self._decoder.keys_and_values(self._top, hidden, angles)
        places = self._long(np.concatenate(packed.homes))
        pool.keep(self._top, slots, kept.keys[0, places], kept.values[0, places])
        last = self._long(np.array([home[-1] for home in packed.homes]))
        reach = pool.reach(first_row, [len(home) - 1 for home in packed.homes])
        with stack.route(one_pass.row_slots) if stack else nullcontext():
            hidden = self._decoder.outputs(
                self._top, hidden[0, last, None], angles.of_rows(last), kept, _single(pool, reach)
            )
        return self._logits(hidden[:, 0])

    def long_prompt(
        self, prompt: Sequence[int], slot: int, stack: StackedLora | None, pool: KvPool, row: int, part: int
    ) -> Tensor:
        """Read one prompt into a row of the pool, `part` tokens at a time, so that memory stays bounded.

        Returns:
            Logits after the prompt, [1, vocabulary], float32.
        """
        for start in range(0, len(prompt), part):
            ids = self._long(np.asarray(prompt[start : start + part]))[None]
            positions = torch.arange(start, start + ids.shape[1], device=self.device)
            slots = row * pool.length + positions

            def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
                pool.keep(layer, slots, key[0], value[0])  # noqa: B023 - called within this round only
                return pool.attend_from(layer, query[0], row, start)[None]  # noqa: B023

            hidden = self._decoder.embed(ids)
            angles = self._decoder.angles(hidden, positions[None])
            with stack.route_segments([slot], [ids.shape[1]]) if stack else nullcontext():
                hidden = self._decoder.run(hidden, angles, attend)
        return self._logits(hidden[:, -1])

    def tokens(self, last: Sequence[int], positions: Sequence[int], pool: KvPool) -> Tensor:
        """Go one token further in the first rows of the pool, inside a route of these rows.

        Args:
            last: each row's newest token.
            positions: its position in the row.

        Returns:
            Logits [rows, vocabulary], float32.
        """
        at = self._long(np.asarray(positions))
        slots = torch.arange(len(positions), device=self.device) * pool.length + at
        single = _single(pool, pool.reach(0, positions))

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            pool.keep(layer, slots, key[:, 0], value[:, 0])
            return single(layer, query, key, value)

        hidden = self._decoder.embed(self._long(np.asarray(last))[:, None])
        angles = self._decoder.angles(hidden, at[:, None])
        return self._logits(self._decoder.run(hidden, angles, attend)[:, 0])

    def logprobs(self, one_pass: Pass, stack: StackedLora | None, starts: Sequence[int]) -> list[Tensor]:
        """Score the ends of texts.

        Args:
            one_pass: the texts.
            stack: the slots, or None while there are none.
            starts: for each text, the position of the first token to score, at least 1.

        Returns:
            For each text, log p of its tokens from `starts` on, given those before, float32 on the CPU.
        """
        packed = one_pass.packed
        hidden, angles, first = self._start(one_pass, _attend_only)
        with _segments(stack, one_pass):
            hidden = self._decoder.run(hidden, angles, _attend_only(packed), first=first)
        homes = list(zip(packed.homes, starts, strict=True))
        asking = self._long(np.concatenate([home[start - 1 : -1] for home, start in homes]))
        targets = packed.input_ids[0, self._long(np.concatenate([home[start:] for home, start in homes]))]
        pieces = zip(torch.split(asking, _HEAD_TOKENS), torch.split(targets, _HEAD_TOKENS), strict=True)
        scored = torch.cat([_log_p(self._logits(hidden[0, places]), target) for places, target in pieces])
        return list(torch.split(scored.cpu(), [len(home) - start for home, start in homes]))

    def _start(self, one_pass: Pass, lay_out: Callable[[Packed], Attend]) -> tuple[Tensor, Angles, int]:
        """What enters the first layer that the rows go through each under its own adapter, and its index."""
        below = one_pass.below
        packed = below.packed if below else one_pass.packed
        hidden = self._decoder.embed(packed.input_ids)
        angles = self._decoder.angles(hidden, packed.position_ids)
        if below is None:
            return hidden, angles, 0
        hidden = self._decoder.run(hidden, angles, lay_out(packed), last=below.depth)
        return hidden.index_select(1, below.source), angles.at(below.source), below.depth

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self._head(self._decoder.norm(hidden))
        return logits.float()

    def _long(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(values).to(self.device, torch.long)


def _attend_only(packed: Packed) -> Attend:
    return packed_attend(AttentionPlan.of(packed))


def _single(pool: KvPool, reach: Reach) -> Attend:
    """Attention of one token for each of neighbouring rows, whose keys are in the pool already."""

    def attend(layer: int, query: Tensor, _key: Tensor, _value: Tensor) -> Tensor:
        return pool.attend(layer, query[:, 0], reach)[:, None]

    return attend


def _segments(stack: StackedLora | None, one_pass: Pass) -> AbstractContextManager[None]:
    """Within: inputs are packed tokens."""
    return (
        stack.route_segments(one_pass.group_slots, one_pass.packed.group_lengths) if stack else nullcontext()
    )


def _log_p(logits: Tensor, targets: Tensor) -> Tensor:
    """log p of the targets, [n]; `logits` [n, vocabulary] are used up."""
    of_target = logits.gather(-1, targets[:, None])[:, 0]
    highest = logits.amax(dim=-1, keepdim=True)
    log_sum = logits.sub_(highest).exp_().sum(dim=-1).log_().add_(highest[:, 0])
    return of_target - log_sum
