"""Serving many adapters in one batch: the local engine against PEFT's `adapter_names` and a vLLM server.

Every contestant answers the same requests greedily, prompts and replies of fixed length; how many replies are the
same is found in the run that is timed. The local engine is also measured without adapters, and with its base in int8
where the processor can. vLLM takes part where PLURES_VLLM_ENV names its environment; `benchmarks.serving_vllm` has
more of it.

    [PLURES_VLLM_ENV=FOLDER] python -m benchmarks.serving [--quick] [--json]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import torch

from adapters.bases.chat import ChatEncoder
from adapters.bases.home import fetched_base
from adapters.bases.int8 import exact_products
from adapters.bases.loader import PROFILES, Base, base_path, load_base
from adapters.bases.quantisation import int8_base
from adapters.engines.local import LocalEngine
from adapters.engines.protocol import GenerateRequest, GenerateResult, Sampling
from adapters.engines.vllm.server.environment import ENVIRONMENT_VARIABLE
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.spec import LoraSpec
from benchmarks.harness import Case, Figure, Goal, Results, main, ratios, seconds, take_turns
from benchmarks.serving_peers import PeftPeer, Prompts, vllm_peer

SPEC = LoraSpec()
OWN, BARE, INT8 = "local, own adapters", "local, no adapters", "local int8, own adapters"
PEFT, VLLM = "PEFT adapter_names", "vLLM"
GOALS = {(OWN, PEFT): 4.0, (OWN, BARE): 0.95}
GOALS_OF_SMOLLM2 = {(OWN, VLLM): 2.0, (INT8, VLLM): 2.0, (OWN, PEFT): 3.0, (INT8, PEFT): 3.0}
SAME_REPLIES = 0.95
"""Replies of the local engine that are PEFT's, vLLM's: rounding may decide between tokens that are equally likely."""
WARM_UP = 4
"""Requests that everybody answers before the clock runs."""

_Generate = Callable[[Prompts], list[list[int]]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One case: requests are also adapters, for each request has its own."""

    base: str
    requests: int
    prompt_tokens: int
    new_tokens: int


RANDOM_BASE = "random weights, hidden 256 x 6 layers"
SMOLLM2 = "smollm2"
FULL = (
    Setting(RANDOM_BASE, 64, 192, 40),
    Setting("tiny-moe", 64, 192, 40),
    Setting(SMOLLM2, 64, 256, 40),
)
QUICK = (Setting("tiny-moe", 8, 48, 8), Setting(SMOLLM2, 4, 32, 4))


def measure(quick: bool) -> Results:
    """Run the cases."""
    results = Results()
    for setting in QUICK if quick else FULL:
        if setting.base not in (RANDOM_BASE, *PROFILES) and fetched_base(setting.base) is None:
            _leave_out(setting.base, f"get it with `plures base fetch {setting.base}`")
            continue
        with tempfile.TemporaryDirectory() as folder:
            _measure_case(setting, Path(folder), results)
    return results


def _measure_case(setting: Setting, folder: Path, results: Results) -> None:
    base = _open_base(setting.base, folder / "base")
    rng = np.random.default_rng(0)
    adapters = {f"user-{i}": _random_adapter(base, rng) for i in range(setting.requests)}
    ids = rng.integers(0, base.tokenizer.vocab_size, (setting.requests, setting.prompt_tokens)).tolist()
    prompts: Prompts = dict(zip(adapters, ids, strict=True))
    some = dict(list(prompts.items())[:WARM_UP])
    replies: dict[str, list[list[int]]] = {}

    def timed(name: str, generate: _Generate) -> Callable[[], float]:
        def work() -> float:
            took = seconds(lambda: replies.__setitem__(name, generate(prompts)))
            return setting.requests * setting.new_tokens / took

        return work

    with _contestants(setting, base, adapters, folder) as contestants:
        for generate in contestants.values():
            generate(some)
        measured = take_turns({name: timed(name, generate) for name, generate in contestants.items()})
    same = {
        name: float(np.mean([a == b for a, b in zip(found, replies[OWN], strict=True)]))
        for name, found in replies.items()
        if name not in (OWN, BARE)
    }
    figures = {f"{name}, tokens/s": Figure.of(values) for name, values in measured.items()}
    figures |= {
        f"{name}, share of replies that are local's": Figure.of([share]) for name, share in same.items()
    }
    results.cases.append(
        Case(
            f"{setting.requests} requests, {setting.requests} rank-{SPEC.rank} adapters",
            asdict(setting),
            figures,
        )
    )
    for (ours, other), goal in (GOALS_OF_SMOLLM2 if setting.base == SMOLLM2 else GOALS).items():
        if ours in measured and other in measured:
            ratio = ratios(measured[ours], measured[other]).median
            results.goals.append(Goal(f"{ours} over {other}, {setting.base}", ratio, goal))
    for name in (PEFT, VLLM):
        if name in same:
            results.goals.append(
                Goal(f"share of replies that are {name}'s, {setting.base}", same[name], SAME_REPLIES)
            )


@contextmanager
def _contestants(
    setting: Setting, base: Base, adapters: Mapping[str, Adapter], folder: Path
) -> Iterator[dict[str, _Generate]]:
    """Who takes part in a case, ready to answer."""
    new = setting.new_tokens
    with ExitStack() as stack:
        engine = stack.enter_context(_engine(base, adapters))
        found: dict[str, _Generate] = {OWN: lambda prompts: _replies(engine, prompts, new)}
        if setting.base != SMOLLM2:
            plain = stack.enter_context(_engine(_open_base(setting.base, folder / "base"), {}))
            found[BARE] = lambda prompts: _replies(plain, prompts, new, bare=True)
        elif exact_products():
            int8 = stack.enter_context(_engine(int8_base(base), adapters))
            found[INT8] = lambda prompts: _replies(int8, prompts, new)
        else:
            _leave_out(INT8, "this processor has no exact 8-bit products")
        peft = PeftPeer(base.path, adapters, folder / "adapters")
        found[PEFT] = lambda prompts: peft.generate(prompts, new)
        if setting.base == SMOLLM2 and ENVIRONMENT_VARIABLE in os.environ:
            vllm = stack.enter_context(vllm_peer(base, adapters, folder, setting.prompt_tokens + new))
            found[VLLM] = lambda prompts: vllm.generate(prompts, new)
        elif setting.base == SMOLLM2:
            _leave_out(VLLM, f"{ENVIRONMENT_VARIABLE} names no environment (plures serve install makes one)")
        yield found


def _leave_out(what: str, reason: str) -> None:
    sys.stderr.write(f"benchmarks.serving: {what} left out: {reason}\n")


def _engine(base: Base, adapters: Mapping[str, Adapter]) -> closing[LocalEngine]:
    slots = max(1, len(adapters))
    return closing(LocalEngine(_unending(base), _Shelf(adapters), max_slots=slots, token_budget=65536))


class _Shelf:
    """Adapters in memory."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        self._adapters = adapters

    def open(self, revision: str) -> Adapter:
        """The adapter of that name."""
        return self._adapters[revision]


def _replies(
    engine: LocalEngine, prompts: Prompts, new_tokens: int, *, bare: bool = False
) -> list[list[int]]:
    sampling = Sampling(max_new_tokens=new_tokens, temperature=0)
    requests = [
        GenerateRequest(name, tuple(prompt), None if bare else name, sampling)
        for name, prompt in prompts.items()
    ]
    return _tokens(engine.generate(requests))


def _tokens(results: Sequence[GenerateResult]) -> list[list[int]]:
    for result in results:
        if result.error is not None:
            raise RuntimeError(f"{result.request_id}: {result.error.message}")
    return [list(result.token_ids) for result in results]


def _open_base(name: str, folder: Path) -> Base:
    """A base whose generation settings end no reply, as a folder of links to its files."""
    if not folder.exists():
        if name == RANDOM_BASE:
            _write_random_base(folder)
        else:
            folder.mkdir()
            for file in base_path(name).iterdir():
                (folder / file.name).symlink_to(file)
        (folder / "generation_config.json").unlink(missing_ok=True)
        (folder / "generation_config.json").write_text("{}", encoding="utf-8")
    return load_base(folder)


def _unending(base: Base) -> Base:
    """The base with no end of a turn: prompts are ids, and no more is asked of its encoder."""
    return replace(base, encoder=cast(ChatEncoder, SimpleNamespace(end_ids=(-1,))))


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
