"""Serving many adapters in one batch: the local engine against PEFT's `adapter_names`, and against no adapters.

Every contestant answers the same requests greedily, prompts and replies of fixed length, and the tokens of
the local engine and of PEFT are compared in the run that is timed. `benchmarks.serving_vllm` measures a vLLM server.

    python -m benchmarks.serving [--quick] [--json]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from adapters.bases.loader import Base, load_base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, GenerateResult, Sampling
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.peft_io import write_peft
from adapters.lora.spec import LoraSpec
from benchmarks.harness import Case, Figure, Goal, Results, main, ratios, seconds, take_turns

SPEC = LoraSpec()
GOALS = {"local over PEFT": 4.0, "local over no adapters": 0.95}


@dataclass(frozen=True, slots=True)
class Setting:
    """One case: requests are also adapters, for each request has its own."""

    base: str
    requests: int
    prompt_tokens: int
    new_tokens: int


RANDOM_BASE = "random weights, hidden 256 x 6 layers"
FULL = (Setting(RANDOM_BASE, 64, 192, 40), Setting("tiny-moe", 64, 192, 40))
QUICK = (Setting("tiny-moe", 8, 48, 8),)


def measure(quick: bool) -> Results:
    """Run the cases."""
    results = Results()
    for setting in QUICK if quick else FULL:
        with tempfile.TemporaryDirectory() as folder:
            _measure_case(setting, Path(folder), results)
    return results


def _measure_case(setting: Setting, folder: Path, results: Results) -> None:
    base = _open_base(setting.base, folder / "base")
    rng = np.random.default_rng(0)
    adapters = {f"user-{i}": _random_adapter(base, rng) for i in range(setting.requests)}
    prompts = rng.integers(0, base.tokenizer.vocab_size, (setting.requests, setting.prompt_tokens)).tolist()
    sampling = Sampling(max_new_tokens=setting.new_tokens, temperature=0)
    requests = [
        GenerateRequest(name, tuple(prompt), name, sampling)
        for name, prompt in zip(adapters, prompts, strict=True)
    ]
    bare = [replace(request, adapter=None) for request in requests]
    peft = _PeftPeer(base.path, adapters, folder / "adapters")
    replies: dict[str, list[list[int]]] = {}

    def timed(name: str, run: Callable[[], list[list[int]]]) -> Callable[[], float]:
        def work() -> float:
            took = seconds(lambda: replies.__setitem__(name, run()))
            return setting.requests * setting.new_tokens / took

        return work

    with _engine(base, adapters) as engine, _engine(_open_base(setting.base, folder / "base"), {}) as plain:
        contestants = {
            "local, own adapters": timed("local", lambda: _tokens(engine.generate(requests))),
            "local, no adapters": timed("bare", lambda: _tokens(plain.generate(bare))),
            "PEFT adapter_names": timed("peft", lambda: peft.generate(prompts, setting.new_tokens)),
        }
        for warm_up in contestants.values():
            warm_up()
        measured = take_turns(contestants)
    if replies["local"] != replies["peft"]:
        raise AssertionError(f"{setting.base}: the local engine and PEFT chose different greedy tokens")
    results.cases.append(
        Case(
            f"{setting.requests} requests, {setting.requests} rank-{SPEC.rank} adapters",
            asdict(setting),
            {f"{name}, tokens/s": Figure.of(values) for name, values in measured.items()},
        )
    )
    own, none, peer = measured.values()
    for (name, goal), others in zip(GOALS.items(), (peer, none), strict=True):
        results.goals.append(Goal(f"{name}, {setting.base}", ratios(own, others).median, goal))


class _PeftPeer:
    """Stock transformers and PEFT: one batch, a different adapter for each row."""

    def __init__(self, base: Path, adapters: dict[str, Adapter], folder: Path) -> None:
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        self._names = list(adapters)
        for name, adapter in adapters.items():
            write_peft(adapter, folder / name, base_ref=str(base))
        model.generation_config.eos_token_id = None
        first, *others = self._names
        self._model = PeftModel.from_pretrained(model, folder / first, adapter_name=first).eval()
        for name in others:
            self._model.load_adapter(folder / name, adapter_name=name)

    def generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> list[list[int]]:
        """The new tokens of each row."""
        ids = torch.tensor(prompts)
        with torch.inference_mode():
            out = self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                adapter_names=self._names,
                do_sample=False,
                max_new_tokens=new_tokens,
                pad_token_id=0,
            )
        new: list[list[int]] = out[:, ids.shape[1] :].tolist()
        return new


@contextmanager
def _engine(base: Base, adapters: dict[str, Adapter]) -> Iterator[LocalEngine]:
    engine = LocalEngine(base, _Shelf(adapters), max_slots=max(1, len(adapters)), token_budget=65536)
    yield engine
    engine.close()


class _Shelf:
    """Adapters in memory."""

    def __init__(self, adapters: dict[str, Adapter]) -> None:
        self._adapters = adapters

    def open(self, revision: str) -> Adapter:
        """The adapter of that name."""
        return self._adapters[revision]


def _tokens(results: Sequence[GenerateResult]) -> list[list[int]]:
    for result in results:
        if result.error is not None:
            raise RuntimeError(f"{result.request_id}: {result.error.message}")
    return [list(result.token_ids) for result in results]


def _open_base(name: str, folder: Path) -> Base:
    """A base whose replies never end before their full length."""
    if name == RANDOM_BASE and not folder.exists():
        _write_random_base(folder)
    base = load_base(folder if name == RANDOM_BASE else name)
    base.model.generation_config.eos_token_id = None
    return replace(base, encoder=SimpleNamespace(end_ids=(-1,)))  # prompts are ids: no more is asked of it


def _write_random_base(folder: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, Qwen3MoeConfig, Qwen3MoeForCausalLM

    torch.manual_seed(0)
    config = Qwen3MoeConfig(
        vocab_size=4096,
        hidden_size=256,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=32,
        moe_intermediate_size=256,
        num_experts=8,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        max_position_embeddings=1024,
        initializer_range=0.05,  # wide enough that the most likely token stands out from rounding
    )
    Qwen3MoeForCausalLM(config).save_pretrained(folder)
    words = {f"w{i}": i for i in range(config.vocab_size)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="w1").save_pretrained(folder)


def _random_adapter(base: Base, rng: np.random.Generator) -> Adapter:
    pairs = {
        path: LoraPair(
            torch.from_numpy(rng.normal(0, 0.05, (SPEC.rank, linear.in_features))).float(),
            torch.from_numpy(rng.normal(0, 0.05, (linear.out_features, SPEC.rank))).float(),
        )
        for path, linear in base.model.named_modules()
        if path.rpartition(".")[2] in SPEC.targets
    }
    return Adapter(SPEC, pairs)


if __name__ == "__main__":
    raise SystemExit(main("Serving many adapters in one batch", measure))
