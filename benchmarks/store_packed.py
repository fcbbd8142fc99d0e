"""Opening adapters from packed files: against folders read by safetensors and by PEFT, and a mixture's experts.

`load_file` leaves the values on the disk and proves nothing. A packed row is copied into memory, and was proved when
it was first opened; the first opening is measured by itself, and so is reading every value. PEFT, the slow peer,
loads fewer adapters in each round, each into a model that holds those before it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.peft_io import WEIGHTS_NAME, write_peft
from adapters.lora.spec import LoraSpec
from adapters.store import AdapterStore, Manifest, Publication
from adapters.store.packs.packed import PackedFile
from adapters.store.packs.packing import pack_in_place
from adapters.store.packs.writer import PackMember, write_pack
from adapters.store.record import RevisionRecord
from adapters.store.tensors import tensor_digest
from benchmarks.harness import Case, Figure, Goal, Results, ratios, seconds, take_turns

_MS = 1e3


@dataclass(frozen=True, slots=True)
class Crowd:
    """Rank-4 attention adapters of a tiny mixture: hidden 256, 6 layers, 8 heads of 32, 2 of them for keys.

    Args:
        adapters: in one packed file, and in as many folders.
        by_peft: of these, loaded by PEFT in each round.
        by_store: of these, opened through a store in each round.
    """

    adapters: int
    by_peft: int
    by_store: int
    layers: int = 6


@dataclass(frozen=True, slots=True)
class Mixture:
    """A rank-1 adapter on attention and on every expert of a mixture, in bfloat16."""

    layers: int
    experts: int
    hidden: int
    inner: int


FULL = (Crowd(512, 64, 128), Mixture(48, 128, 2048, 768))
QUICK = (Crowd(16, 2, 8, layers=2), Mixture(4, 16, 256, 96))

ATTENTION = {"q_proj": (256, 256), "k_proj": (256, 64), "v_proj": (256, 64), "o_proj": (256, 256)}
HEAD, KEY_HEADS = 128, 4


def measure(quick: bool) -> Results:
    """Run the cases."""
    results = Results()
    crowd, mixture = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        _measure_crowd(crowd, Path(folder), results)
    with tempfile.TemporaryDirectory() as folder:
        _measure_mixture(mixture, Path(folder), results)
    return results


def _measure_crowd(setting: Crowd, folder: Path, results: Results) -> None:
    some = list(_crowd(setting))
    for i, adapter in enumerate(some):
        write_peft(adapter, folder / str(i), base_ref="tiny")
    weights = [folder / str(i) / WEIGHTS_NAME for i in range(setting.adapters)]
    file, revisions = folder / "crowd.safetensors", _pack(some, folder / "crowd.safetensors")
    opened = PackedFile(file)
    for revision in revisions:
        opened.prove(revision)
    in_folders, in_packs, ids = _stores(some[: setting.by_store], folder)

    def each(count: int, work: Callable[[], object]) -> Callable[[], float]:
        return lambda: seconds(work) / count * _MS

    n = setting.adapters
    measured = take_turns(
        {
            "packed row, ms": each(n, lambda: [opened.open(r) for r in revisions]),
            "packed row, proved now, ms": lambda: _proving(file, revisions),
            "load_file of a folder, ms": each(n, lambda: [load_file(path) for path in weights]),
            "store, packed, ms": each(len(ids), lambda: [in_packs.open(r) for r in ids]),
            "store, folders, ms": each(len(ids), lambda: [in_folders.open(r) for r in ids]),
            "PeftModel.load_adapter, ms": lambda: _by_peft(setting, folder),
            "all, packed, ms": lambda: _MS * seconds(lambda: _stack(file)),
            "all, load_file of every folder, ms": lambda: (
                _MS * seconds(lambda: [load_file(p) for p in weights])
            ),
            "all, packed, every value read, ms": lambda: _MS * seconds(lambda: _sum(_stack(file).values())),
            "all, load_file, every value read, ms": lambda: (
                _MS * seconds(lambda: [_sum(load_file(path).values()) for path in weights])
            ),
            "packed file opened, ms": lambda: _MS * seconds(lambda: PackedFile(file).close()),
        }
    )
    size = weights[0].stat().st_size
    results.cases.append(_case(f"{n} adapters of {size / 1e3:.0f} kB", asdict(setting), measured))
    one, folders = measured["packed row, ms"], measured["load_file of a folder, ms"]
    for name, over, under, goal in (
        ("open one over load_adapter", measured["PeftModel.load_adapter, ms"], one, 150),
        (
            "open and prove one over load_adapter",
            measured["PeftModel.load_adapter, ms"],
            measured["packed row, proved now, ms"],
            150,
        ),
        ("open one over load_file", folders, one, 3),
        (
            f"open all {n} over load_file",
            measured["all, load_file of every folder, ms"],
            measured["all, packed, ms"],
            100,
        ),
    ):
        results.goals.append(Goal(name, ratios(over, under).median, goal))


def _measure_mixture(setting: Mixture, folder: Path, results: Results) -> None:
    adapter = _mixture(setting)
    tensors = 2 * len(adapter.pairs)
    write_peft(adapter, folder / "peft", base_ref="mixture")
    file, weights = folder / "mixture.safetensors", folder / "peft" / WEIGHTS_NAME
    (revision,) = _pack([adapter], file)
    with PackedFile(file) as pack:
        blocks = len(pack.layout.shapes)
        pack.prove(revision)
        measured = take_turns(
            {
                "packed, stacked by experts, ms": lambda: _MS * seconds(lambda: _stack(file)),
                "packed, every single linear, ms": lambda: _MS * seconds(lambda: pack.open(revision)),
                "packed, proved now, ms": lambda: _proving(file, [revision]),
                "load_file, ms": lambda: _MS * seconds(lambda: load_file(weights)),
            }
        )
    name = f"an expert adapter, {tensors:,} tensors in a folder, {blocks} stacked"
    results.cases.append(
        _case(name, {**asdict(setting), "MB": round(file.stat().st_size / 1e6, 1)}, measured)
    )
    stacked, folders = measured["packed, stacked by experts, ms"], measured["load_file, ms"]
    results.goals.append(Goal("tensors of an expert adapter, stacked", blocks, 672, at_least=False))
    results.goals.append(Goal("read an expert adapter over load_file", ratios(folders, stacked).median, 30))


def _proving(file: Path, revisions: Sequence[str]) -> float:
    """Milliseconds for each adapter, the first time after the file was opened."""
    with PackedFile(file) as pack:
        return seconds(lambda: [pack.open(revision) for revision in revisions]) / len(revisions) * _MS


def _stack(file: Path) -> dict[str, torch.Tensor]:
    """Every block of a packed file that is not open yet."""
    with PackedFile(file) as pack:
        pairs = pack.stack(prove=False).pairs
    return {
        f"{path}.{letter}": tensor
        for path, pair in pairs.items()
        for letter, tensor in zip("AB", pair, strict=True)
    }


def _sum(tensors: Any) -> float:
    return sum(float(tensor.sum()) for tensor in tensors)


def _by_peft(setting: Crowd, folder: Path) -> float:
    """Milliseconds for each adapter after the first, into a model that nobody used before."""
    from peft import PeftModel
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    config = Qwen3MoeConfig(
        vocab_size=4096,
        hidden_size=256,
        num_hidden_layers=setting.layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=32,
        moe_intermediate_size=256,
        num_experts=8,
        num_experts_per_tok=2,
    )
    model = PeftModel.from_pretrained(Qwen3MoeForCausalLM(config), folder / "0", adapter_name="0")
    others = [str(i) for i in range(1, setting.by_peft + 1)]
    return (
        seconds(lambda: [model.load_adapter(folder / i, adapter_name=i) for i in others]) / len(others) * _MS
    )


def _crowd(setting: Crowd) -> Iterator[Adapter]:
    rng, spec = np.random.default_rng(0), LoraSpec()
    for _ in range(setting.adapters):
        yield Adapter(
            spec,
            {
                f"model.layers.{layer}.self_attn.{name}": _pair(rng, spec.rank, *dims, torch.float32)
                for layer in range(setting.layers)
                for name, dims in ATTENTION.items()
            },
        )


def _mixture(setting: Mixture) -> Adapter:
    rng, hidden, inner = np.random.default_rng(0), setting.hidden, setting.inner
    heads = hidden * 2, KEY_HEADS * HEAD  # as Qwen3-30B-A3B: 32 heads of 128 on hidden 2,048
    attention = {"q_proj": (hidden, heads[0]), "k_proj": (hidden, heads[1]), "v_proj": (hidden, heads[1])}
    linears = {
        f"self_attn.{name}": dims for name, dims in (attention | {"o_proj": (heads[0], hidden)}).items()
    }
    for expert in range(setting.experts):
        at = f"mlp.experts.{expert}"
        linears |= {f"{at}.gate_proj": (hidden, inner), f"{at}.up_proj": (hidden, inner)}
        linears[f"{at}.down_proj"] = (inner, hidden)
    pairs = {
        f"model.layers.{layer}.{path}": _pair(rng, 1, *dims, torch.bfloat16)
        for layer in range(setting.layers)
        for path, dims in linears.items()
    }
    targets = tuple({path.rpartition(".")[2] for path in linears})
    return Adapter(LoraSpec(rank=1, alpha=2.0, targets=targets), pairs)


def _pair(rng: np.random.Generator, rank: int, d_in: int, d_out: int, dtype: torch.dtype) -> LoraPair:
    values = torch.from_numpy(rng.standard_normal((d_in + d_out) * rank, dtype=np.float32)).to(dtype)
    return LoraPair(values[: rank * d_in].view(rank, d_in), values[rank * d_in :].view(d_out, rank))


def _manifest(adapter: Adapter, seed: int) -> Manifest:
    return Manifest("tiny", "ab" * 32, adapter.spec, {"epochs": 2, "learning_rate": 0.01}, "cd" * 32, seed)


def _pack(adapters: Sequence[Adapter], file: Path) -> list[str]:
    """Write a packed file; the revisions in the order of the adapters."""
    records = [RevisionRecord(_manifest(a, i), tensor_digest(a), {}) for i, a in enumerate(adapters)]
    write_pack(
        file,
        [PackMember(record.to_bytes(), lambda a=a: a) for record, a in zip(records, adapters, strict=True)],  # type: ignore[misc]
    )
    return [record.revision for record in records]


def _stores(adapters: Sequence[Adapter], folder: Path) -> tuple[AdapterStore, AdapterStore, list[str]]:
    """The same adapters in a store of folders and in a store of one packed file."""
    publications = [Publication(a, _manifest(a, i), f"user-{i:04d}") for i, a in enumerate(adapters)]
    stores = AdapterStore(folder / "folders"), AdapterStore(folder / "packs")
    ids = [store.publish_many(publications) for store in stores]
    pack_in_place(stores[1], ids[1])
    return *stores, ids[0]


def _case(name: str, setting: Mapping[str, Any], measured: Mapping[str, Sequence[float]]) -> Case:
    return Case(name, setting, {figure: Figure.of(values) for figure, values in measured.items()})
