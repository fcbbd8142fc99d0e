"""Settings, and the command line and environment that they become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.engines.vllm.server.command import arguments, environment
from adapters.engines.vllm.server.fitting import check_fit, memory_needed
from adapters.engines.vllm.server.served_base import ServedBase
from adapters.engines.vllm.server.settings import GIB, LORA_RANKS, ServerSettings
from adapters.errors import ServerError

BASE = ServedBase(
    name="my base",
    path=Path("/bases/mine"),
    fingerprint="1a2b3c4d5e6f" + "0" * 52,
    context=2048,
    widths={"q_proj": 1024, "k_proj": 768, "v_proj": 768, "o_proj": 1024, "down_proj": 8192},
    parameters=1_000_000,
    expert_widths=(128, 128),
)


def flags(settings: ServerSettings) -> dict[str, str]:
    """Flag → its words, joined."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in arguments(settings, BASE, 8123)[2:]:
        if word.startswith("--"):
            name = word
            found[name] = []
        else:
            found[name].append(word)
    return {flag: " ".join(words) for flag, words in found.items()}


@given(st.integers(1, 512))
def test_a_rank_runs_under_the_smallest_that_vllm_offers_and_that_holds_it(rank: int) -> None:
    """Trap: `--max-lora-rank 4` is refused; rank 4 runs under 8."""
    offered = ServerSettings(rank=rank).max_lora_rank
    assert offered in LORA_RANKS
    assert offered >= rank
    assert not [other for other in LORA_RANKS if rank <= other < offered]


def test_rank_4_runs_under_8() -> None:
    assert flags(ServerSettings())["--max-lora-rank"] == "8"


def test_targets_are_always_named() -> None:
    """Trap: without them vLLM wants slots for every expert of a mixture."""
    assert flags(ServerSettings())["--lora-target-modules"] == "q_proj k_proj v_proj o_proj"


def test_the_server_masks_and_samples_as_the_local_engine_does() -> None:
    said = flags(ServerSettings())
    assert json.loads(said["--structured-outputs-config"]) == {
        "backend": "guidance",
        "disable_any_whitespace": True,
    }
    assert said["--generation-config"] == "vllm"  # not the sampling defaults that came with the base
    assert said["--logprobs-mode"] == "raw_logprobs"


def test_it_listens_on_this_machine_under_a_name_that_says_which_base() -> None:
    said = flags(ServerSettings())
    assert said["--host"] == "127.0.0.1"
    assert said["--port"] == "8123"
    assert said["--served-model-name"] == "my-base@1a2b3c4d5e6f"


def test_a_gpu_gets_other_defaults_and_flags() -> None:
    cpu, gpu = flags(ServerSettings()), flags(ServerSettings.for_device("cuda", tensor_parallel=2))
    assert "--enforce-eager" in cpu
    assert cpu["--kv-cache-memory-bytes"] == str(GIB)
    assert gpu["--dtype"] == "bfloat16"
    assert gpu["--tensor-parallel-size"] == "2"
    assert not {"--enforce-eager", "--kv-cache-memory-bytes"} & gpu.keys()
    assert "--gpu-memory-utilization" not in cpu


def test_prompts_are_read_in_parts_on_a_gpu_only() -> None:
    """Trap of 0.27.1 on a CPU: a seeded request whose prompt is read in parts ends the engine."""
    cpu, gpu = flags(ServerSettings(context=4096)), flags(ServerSettings.for_device("cuda", context=4096))
    assert "--no-enable-chunked-prefill" in cpu
    assert cpu["--max-num-batched-tokens"] == "4096"
    assert flags(ServerSettings(context=512))["--max-num-batched-tokens"] == "1024"
    assert "--no-enable-chunked-prefill" not in gpu
    assert gpu["--max-num-batched-tokens"] == "8192"


def test_tool_calls_and_further_flags_are_passed_on() -> None:
    said = flags(ServerSettings(tool_parser="hermes", extra=("--max-logprobs", "5")))
    assert said["--tool-call-parser"] == "hermes"
    assert "--enable-auto-tool-choice" in said
    assert said["--max-logprobs"] == "5"


def test_the_environment_has_ours_over_what_was_inherited() -> None:
    given_ = {"PATH": "/bin", "PYTHONPATH": "/mine", "VLLM_CPU_KVCACHE_SPACE": "40", "VLLM_API_KEY": "old"}
    said = environment(ServerSettings(threads=3), "new", given_)
    assert said["PATH"] == "/bin"
    assert said["VLLM_API_KEY"] == "new"
    assert said["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "1"
    assert said["HF_HUB_OFFLINE"] == said["VLLM_NO_USAGE_STATS"] == said["VLLM_DO_NOT_TRACK"] == "1"
    assert said["OMP_NUM_THREADS"] == "3"
    assert not {"PYTHONPATH", "VLLM_CPU_KVCACHE_SPACE"} & said.keys()
    assert "VLLM_CPU_NUM_OF_RESERVED_CPU" not in environment(ServerSettings.for_device("cuda"), "new", {})


def test_memory_is_counted_by_what_it_is_for() -> None:
    # q, k, v, o: 1024 + 768 + 768 + 1024 = 3584 inputs and outputs × rank 8 × 4 bytes = 114,688 bytes for one adapter
    needed = memory_needed(ServerSettings(max_loras=2, max_cpu_loras=10, kv_cache_gib=0.5), BASE)
    assert needed == {
        "weights": 4_000_000,
        "slots": 2 * 114_688,
        "adapters": 10 * 114_688,
        "cache": GIB // 2,
    }
    assert needed.total == sum(needed.values())


def test_slots_of_qwen3_30b_a3b_cost_what_was_published() -> None:
    """0.012 GiB for attention alone, 0.77 GiB with experts: rank 4 under 8, bfloat16 (from the model's config)."""
    layers, hidden, experts, inner = 48, 2048, 128, 768
    attention = {
        "q_proj": hidden + 4096,
        "k_proj": hidden + 512,
        "v_proj": hidden + 512,
        "o_proj": 4096 + hidden,
    }
    mixture = dict.fromkeys(("gate_proj", "up_proj", "down_proj"), experts * (hidden + inner))
    widths = {target: layers * width for target, width in (attention | mixture).items()}
    base = ServedBase("Qwen3-30B-A3B", Path("/q"), "0" * 64, 40960, widths, 30_532_122_624, (768, 2048))
    assert base.slot_bytes(tuple(attention), 8, 2) / GIB == pytest.approx(0.0124, abs=1e-4)
    assert base.slot_bytes(tuple(widths), 8, 2) / GIB == pytest.approx(0.786, abs=1e-3)  # 0.773 + 0.012


def test_experts_of_odd_size_are_refused_on_a_cpu_only() -> None:
    """Trap: hidden sizes of a mixture must be multiples of 32 there."""
    odd = ServedBase("odd", Path("/odd"), "0" * 64, 2048, BASE.widths, 10, (48, 128))
    with pytest.raises(ServerError, match=r"experts of width 48; .* multiples of 32"):
        check_fit(ServerSettings(), odd)
    check_fit(ServerSettings.for_device("cuda"), odd)
    check_fit(ServerSettings(), BASE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "tpu"}, "device: got 'tpu'; expected one of cpu, cuda"),
        ({"dtype": "int8"}, "dtype: got 'int8'"),
        ({"rank": 513}, "rank: got 513; expected a whole number from 1 to 512"),
        ({"max_loras": 0}, "max_loras: got 0; expected a whole number from 1"),
        (
            {"max_loras": 8, "max_cpu_loras": 4},
            "max_cpu_loras: got 4; expected a whole number from 8",
        ),
        ({"context": 0}, "context: got 0"),
        ({"kv_cache_gib": 0.0}, "kv_cache_gib: got 0.0"),
        ({"memory_share": 1.5}, "memory_share: got 1.5"),
        ({"targets": ()}, "targets: got"),
        ({"targets": ("q_proj", "q_proj")}, "expected distinct names"),
        ({"threads": 0}, "threads: got 0"),
    ],
)
def test_values_out_of_range_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ServerError, match=message):
        ServerSettings(**changes)  # type: ignore[arg-type]


def test_an_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(ServerError, match=r"slots: no such setting; expected base, .*max_loras"):
        ServerSettings.for_device("cpu", slots=3)


def test_none_keeps_the_default() -> None:
    assert ServerSettings.for_device("cpu", max_loras=None, rank=7) == ServerSettings(rank=7)
