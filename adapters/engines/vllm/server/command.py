"""The command line and the environment variables that settings become."""

from __future__ import annotations

import json
from collections.abc import Mapping

from adapters.engines.vllm.server.served_base import ServedBase
from adapters.engines.vllm.server.settings import GIB, ServerSettings
from adapters.errors import ServerError

_GUIDANCE = {
    "backend": "guidance",
    "disable_any_whitespace": True,
}  # the library that the local engine masks with


def arguments(settings: ServerSettings, base: ServedBase, port: int) -> list[str]:
    """The words after `python`: the module (this build's `vllm` command fails) and its flags; no secret among them.

    Sampling defaults of the base's own `generation_config.json` are switched off: a request means what it says.

    Raises:
        ServerError: when `settings.extra` repeats a flag that is set here, or would show the key.
    """
    words = ["-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--model", str(base.path), "--served-model-name", base.served_name]
    words += ["--dtype", settings.dtype, "--seed", str(settings.seed), "--generation-config", "vllm"]
    context = settings.context or base.context
    words += ["--max-model-len", str(context)]
    words += ["--max-num-seqs", str(settings.max_sequences)]
    words += ["--enable-lora", "--max-loras", str(settings.max_loras)]
    words += ["--max-cpu-loras", str(settings.warm_adapters), "--max-lora-rank", str(settings.max_lora_rank)]
    words += ["--lora-target-modules", *settings.targets]
    words += ["--enable-prefix-caching", "--logprobs-mode", "raw_logprobs", "--disable-uvicorn-access-log"]
    words += ["--structured-outputs-config", json.dumps(_GUIDANCE)]
    if settings.kv_cache_gib is not None:
        words += ["--kv-cache-memory-bytes", str(round(settings.kv_cache_gib * GIB))]
    if settings.device == "cpu":
        words += ["--enforce-eager"]  # LoRA on a CPU runs eagerly in any case; this says so
        # A seeded request whose prompt is read in parts ends the engine ("CPU Generator does not use offset", 0.27.1).
        words += ["--no-enable-chunked-prefill"]
        words += ["--max-num-batched-tokens", str(max(settings.max_batched_tokens, context))]
    else:
        words += ["--max-num-batched-tokens", str(settings.max_batched_tokens)]
        words += ["--gpu-memory-utilization", str(settings.memory_share)]
        words += ["--tensor-parallel-size", str(settings.tensor_parallel)]
    if settings.tool_parser is not None:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", settings.tool_parser]
    return [*words, *_checked_extra(settings.extra, words)]


def environment(settings: ServerSettings, api_key: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The server's environment variables: ours over those inherited, without what would reach into its Python.

    The key travels here, since a command line can be read by every user of the machine.
    """
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV", "VLLM_CPU_KVCACHE_SPACE")
    }
    ours = {
        "VLLM_API_KEY": api_key,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # `-m` would look for modules in the current folder first
    }
    if settings.device == "cpu":
        ours |= {"VLLM_CPU_NUM_OF_RESERVED_CPU": "0"}
        if settings.threads is not None:
            ours |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(settings.threads)}
    return kept | ours


def _checked_extra(extra: tuple[str, ...], words: list[str]) -> tuple[str, ...]:
    ours = {word for word in words if word.startswith("--")} | {"--api-key"}
    if taken := sorted({flag.partition("=")[0] for flag in extra} & ours):
        raise ServerError(
            f"extra: {', '.join(taken)} would contradict what Plures sets itself; leave it out, or use the option "
            f"of `plures serve start` for it"
        )
    return extra
