"""Forward passes of one base model: prompts packed without padding, single tokens over a pool, whole texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AttentionInterface, PreTrainedModel

from adapters.engines.kv_pool import KvPool, attend
from adapters.errors import BaseModelError
from adapters.lora.packed_attention import ARCHITECTURES, AttentionPlan
from adapters.lora.packing import Packed

IMPLEMENTATION = "plures_pool"


class Forward:
    """The passes an engine needs; adapters are routed around these calls.

    Args:
        model: a causal language model of transformers, frozen.

    Raises:
        BaseModelError: an architecture whose attention is not known to be plain.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        config = model.config
        if config.model_type not in ARCHITECTURES:
            raise BaseModelError(
                f"model type {config.model_type!r} cannot be served in process; supported are "
                f"{', '.join(sorted(ARCHITECTURES))}. Serve others with vLLM."
            )
        self._model = model
        self._decoder = model.get_decoder()
        self._head = model.get_output_embeddings()
        self.device = self._head.weight.device
        self.vocabulary = int(self._head.weight.shape[0])
        limits = (config.max_position_embeddings, getattr(config, "sliding_window", None))
        self.longest = min(limit for limit in limits if limit is not None)

    def new_pool(self, capacity: int) -> KvPool:
        """A pool for `capacity` tokens."""
        config = self._model.config
        dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        heads = config.num_key_value_heads
        return KvPool(config.num_hidden_layers, capacity, heads, dim, self._head.weight.dtype, self.device)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Within: the model attends as these passes need, and nothing is recorded for gradients."""
        AttentionInterface.register(IMPLEMENTATION, attend)
        before = self._model.config._attn_implementation
        self._model.config._attn_implementation = IMPLEMENTATION
        try:
            with torch.inference_mode():
                yield
        finally:
            self._model.config._attn_implementation = before

    def prompts(self, packed: Packed, pool: KvPool, rows: Sequence[int]) -> Tensor:
        """Read prompts into the pool.

        Args:
            packed: the prompts.
            rows: the pool's row for each prompt, in the order of packing.

        Returns:
            Logits after each prompt, [prompts, vocabulary], float32.
        """
        slots = [r * pool.length + np.arange(len(home)) for r, home in zip(rows, packed.homes, strict=True)]
        pool.expect_prompts(self._long(np.concatenate(packed.homes)), self._long(np.concatenate(slots)))
        hidden = self._packed_hidden(packed, pool)
        return self._logits(hidden[self._long(np.array([home[-1] for home in packed.homes]))])

    def tokens(self, last: Sequence[int], positions: Sequence[int], pool: KvPool) -> Tensor:
        """Go one token further in the first rows of the pool.

        Args:
            last: each row's newest token.
            positions: its position in the row.

        Returns:
            Logits [rows, vocabulary], float32.
        """
        at = self._long(np.asarray(positions))
        longest = max(positions) + 1
        pool.expect_tokens(at, longest)
        visible = None
        if min(positions) + 1 < longest:
            hidden_keys = torch.arange(longest, device=self.device) > at[:, None, None, None]
            visible = torch.zeros(hidden_keys.shape, dtype=self._head.weight.dtype, device=self.device)
            visible.masked_fill_(hidden_keys, -torch.inf)
        output = self._decoder(
            input_ids=self._long(np.asarray(last))[:, None],
            position_ids=at[:, None],
            cache_position=at[:1],
            past_key_values=pool,
            use_cache=True,
            visible=visible,
        )
        return self._logits(output.last_hidden_state[:, 0])

    def logprobs(self, packed: Packed, starts: Sequence[int]) -> list[Tensor]:
        """Score the ends of texts.

        Args:
            packed: the texts.
            starts: for each text, the position of the first token to score, at least 1.

        Returns:
            For each text, log p of its tokens from `starts` on, given those before, float32 on the CPU.
        """
        hidden = self._packed_hidden(packed, None)
        scored = []
        for home, start in zip(packed.homes, starts, strict=True):
            logits = self._logits(hidden[self._long(home[start - 1 : -1])])
            targets = packed.input_ids[0, self._long(home[start:])]
            scored.append((logits.gather(-1, targets[:, None])[:, 0] - logits.logsumexp(dim=-1)).cpu())
        return scored

    def _packed_hidden(self, packed: Packed, pool: KvPool | None) -> Tensor:
        output = self._decoder(
            input_ids=packed.input_ids,
            position_ids=packed.position_ids,
            cache_position=packed.position_ids[0],
            past_key_values=pool,
            use_cache=pool is not None,
            plan=AttentionPlan.of(packed),
        )
        hidden: Tensor = output.last_hidden_state[0]
        return hidden

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self._head(hidden)
        return logits.float()

    def _long(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(values).to(self.device, torch.long)
