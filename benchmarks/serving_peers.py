"""The peers in serving: stock transformers and PEFT in this process, and a vLLM server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from adapters.bases.loader import Base
from adapters.engines.vllm.server.environment import environment_folder, open_environment
from adapters.lora.adapter import Adapter
from adapters.lora.peft_io import write_peft
from benchmarks.vllm_loads import Asked, Bench, served

KV_CACHE_GIB = 2.0
PASS_TOKENS = 4096
"""Prompt tokens of one forward pass of vLLM, as many as the local engine's."""

Prompts = Mapping[str, Sequence[int]]
"""Adapter → the prompt that it answers."""


class PeftPeer:
    """One batch, a different adapter for each row.

    Args:
        base: folder of the model, which this peer loads for itself.
        adapters: by name.
        folder: where they are written for PEFT to load.
    """

    def __init__(self, base: Path, adapters: Mapping[str, Adapter], folder: Path) -> None:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        for name, adapter in adapters.items():
            write_peft(adapter, folder / name, base_ref=str(base))
        model.generation_config.eos_token_id = None
        first, *others = adapters
        self._model = PeftModel.from_pretrained(model, folder / first, adapter_name=first).eval()
        for name in others:
            self._model.load_adapter(folder / name, adapter_name=name)

    def generate(self, prompts: Prompts, new_tokens: int) -> list[list[int]]:
        """The new tokens of each prompt, all of one length."""
        ids = torch.tensor([list(prompt) for prompt in prompts.values()])
        with torch.inference_mode():
            out = self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                adapter_names=list(prompts),
                do_sample=False,
                max_new_tokens=new_tokens,
                pad_token_id=0,
            )
        new: list[list[int]] = out[:, ids.shape[1] :].tolist()
        return new


class VllmPeer:
    """A server with a slot for every adapter, asked for all replies at once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def generate(self, prompts: Prompts, new_tokens: int) -> list[list[int]]:
        """The new tokens of each prompt."""
        asked = [Asked(name, tuple(prompt), new_tokens) for name, prompt in prompts.items()]
        return [list(tokens) for tokens in self._bench.run(asked, len(asked), admission=False).tokens]


@contextmanager
def vllm_peer(base: Base, adapters: Mapping[str, Adapter], folder: Path, context: int) -> Iterator[VllmPeer]:
    """Start a server in float32 whose rows hold up to `context` tokens.

    Raises:
        ServerError: there is no vLLM environment, or it cannot serve this base.
    """
    env = open_environment(environment_folder()).path
    with served(
        len(adapters),
        base,
        adapters,
        env,
        folder,
        context=context,
        max_batched_tokens=PASS_TOKENS,
        kv_cache_gib=KV_CACHE_GIB,
    ) as bench:
        yield VllmPeer(bench)
