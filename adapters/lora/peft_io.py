"""PEFT folders in and out, tensors bit for bit: plain LoRA in safetensors, anything else refused by name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from adapters.errors import CorruptAdapterError, UnknownAdapterError, UnsupportedAdapterError
from adapters.lora.adapter import Adapter, LoraPair
from adapters.lora.peft_layers import first_layer, layers_config
from adapters.lora.spec import LoraSpec
from adapters.safetensors_header import Header, read_header
from adapters.untrusted import MIB, UntrustedError, open_regular, read_regular, strict_json

CONFIG_NAME = "adapter_config.json"
WEIGHTS_NAME = "adapter_model.safetensors"

_KEY = re.compile(
    r"base_model\.model\.(?P<path>[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*)\.lora_(?P<factor>[AB])\.weight"
)
_DTYPES = {"F32", "F16", "BF16"}
_METADATA = {"format": "pt"}
_LARGEST_CONFIG = 16 * MIB

# Every field of a PEFT config is read, known to change nothing in the answer, or has to be empty.
_READ = {
    "peft_type",
    "r",
    "lora_alpha",
    "use_rslora",
    "target_modules",
    "layers_to_transform",
    "init_lora_weights",
}
_HARMLESS = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "layers_pattern",  # only says where layers_to_transform counts; the weights' names tell it too
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
}
_EMPTY: tuple[Any, ...] = (None, False, {}, [], "none")
# Other inits either changed the base's weights or need PEFT's own code to read the tensors back.
_PLAIN_INITS = (None, True, False, "gaussian")


def read_peft(folder: str | Path) -> Adapter:
    """Read a PEFT LoRA folder; the tensors stay in their own type.

    Raises:
        UnknownAdapterError: no such folder, or no adapter in it.
        UnsupportedAdapterError: DoRA, LoRA biases, further trained modules, ranks or alphas that differ by
            layer, layers left out in between, inits that moved the base, pickled weights: what a stack of plain LoRA
            cannot answer for.
        CorruptAdapterError: unreadable or truncated files, wrong shapes, NaN or infinity.
    """
    folder = Path(folder)
    config = _parse_config(folder / CONFIG_NAME, _read_config(folder))
    return _adapter(config, _read_tensors(folder), folder)


def parse_peft(config: bytes, tensors: Mapping[str, Tensor], *, where: Path) -> Adapter:
    """The adapter of a PEFT folder's two files.

    Args:
        config: content of `adapter_config.json`.
        tensors: of `adapter_model.safetensors`.
        where: the folder, for messages.

    Raises:
        UnsupportedAdapterError: as of `read_peft`.
        CorruptAdapterError: as of `read_peft`.
    """
    return _adapter(_parse_config(where / CONFIG_NAME, config), tensors, where)


def peft_files(adapter: Adapter, *, base_ref: str) -> dict[str, bytes]:
    """What `write_peft` writes, by file name."""
    return {
        CONFIG_NAME: _config_text(adapter, base_ref).encode(),
        WEIGHTS_NAME: save(_named(adapter), metadata=_METADATA),
    }


def write_peft(adapter: Adapter, folder: str | Path, *, base_ref: str) -> None:
    """Write an adapter as a PEFT folder, which is created if need be; each file appears whole or not at all.

    Args:
        adapter: to write; tensors keep type and bits.
        folder: gets `adapter_config.json` and `adapter_model.safetensors`.
        base_ref: name or folder of the base, recorded as `base_model_name_or_path`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / (WEIGHTS_NAME + ".tmp")
    save_file(_named(adapter), half, metadata=_METADATA)
    half.replace(folder / WEIGHTS_NAME)
    half = folder / (CONFIG_NAME + ".tmp")
    half.write_text(_config_text(adapter, base_ref), encoding="utf-8")
    half.replace(folder / CONFIG_NAME)


def _named(adapter: Adapter) -> dict[str, Tensor]:
    return {
        f"base_model.model.{path}.lora_{factor}.weight": tensor.contiguous()
        for path, pair in adapter.pairs.items()
        for factor, tensor in zip("AB", pair, strict=True)
    }


def _config_text(adapter: Adapter, base_ref: str) -> str:
    spec = adapter.spec
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_ref,
        "inference_mode": True,
        "r": spec.rank,
        "lora_alpha": int(spec.alpha) if spec.alpha == int(spec.alpha) else spec.alpha,
        "use_rslora": spec.rslora,
        "target_modules": list(spec.targets),
        "init_lora_weights": True,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "lora_bias": False,
        "use_dora": False,
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
        **layers_config(adapter),
    }
    return json.dumps(config, indent=2) + "\n"


def _read_config(folder: Path) -> bytes:
    path = folder / CONFIG_NAME
    try:
        return read_regular(path, _LARGEST_CONFIG)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnknownAdapterError(f"{path}: not there; expected a folder written by PEFT") from error
    except UntrustedError as error:
        raise CorruptAdapterError(f"{path}: {error}; copy the folder again") from error


def _parse_config(path: Path, content: bytes) -> dict[str, Any]:
    try:
        config = strict_json(content)
    except UntrustedError as error:
        raise CorruptAdapterError(f"{path}: {error}; copy the folder again") from error
    if not isinstance(config, dict):
        raise CorruptAdapterError(f"{path}: holds a {type(config).__name__}; expected a JSON object")
    _refuse_unsupported(path, config)
    return config


def _adapter(config: Mapping[str, Any], tensors: Mapping[str, Tensor], where: Path) -> Adapter:
    pairs = _pairs(where / WEIGHTS_NAME, tensors)
    spec = _spec(where / CONFIG_NAME, config, pairs)
    for path, pair in pairs.items():
        _check_pair(f"{where / WEIGHTS_NAME}: {path}", pair, spec.rank)
    return Adapter(spec, pairs)


def _refuse_unsupported(path: Path, config: Mapping[str, Any]) -> None:
    if config.get("peft_type") != "LORA":
        raise UnsupportedAdapterError(f"{path}: peft_type is {config.get('peft_type')!r}; expected 'LORA'")
    if config.get("init_lora_weights", True) not in _PLAIN_INITS:
        raise UnsupportedAdapterError(
            f"{path}: init_lora_weights is {config['init_lora_weights']!r}, which changes the base; "
            f"convert it to plain LoRA (in PEFT: path_initial_model_for_weight_conversion)"
        )
    for key, value in config.items():
        if key not in _READ | _HARMLESS and value not in _EMPTY:
            raise UnsupportedAdapterError(
                f"{path}: {key} is {value!r}; only plain LoRA is supported, with {key} empty. "
                f"Train or convert the adapter without it."
            )


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS_NAME
    try:
        with open_regular(path) as file:
            header = read_header(file, os.fstat(file.fileno()).st_size)
        check_dtypes(path, header)
        return dict(load_file(path))
    except FileNotFoundError as error:
        if (folder / "adapter_model.bin").exists():
            raise UnsupportedAdapterError(
                f"{folder / 'adapter_model.bin'}: pickled weights can run code when read and are refused; "
                f"save the adapter again with safe_serialization=True"
            ) from error
        raise UnknownAdapterError(f"{path}: not there; expected a folder written by PEFT") from error
    except (UntrustedError, SafetensorError) as error:
        raise CorruptAdapterError(f"{path}: damaged or truncated ({error}); copy it again") from error


def check_dtypes(path: Path, header: Header) -> None:
    """Judge tensors by their header, before any value is read.

    Raises:
        UnsupportedAdapterError: a dtype that no adapter has; names the tensor.
    """
    for name, place in header.tensors.items():
        if place.dtype not in _DTYPES:
            raise UnsupportedAdapterError(
                f"{path}: {name} has dtype {place.dtype}; expected float32, float16 or bfloat16"
            )


def _pairs(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, LoraPair]:
    factors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise UnsupportedAdapterError(
                f"{path}: tensor {key!r} is no LoRA factor of a linear; "
                f"expected names like base_model.model.….q_proj.lora_A.weight"
            )
        factors.setdefault(match["path"], {})[match["factor"]] = tensor
    for layer, found in factors.items():
        if found.keys() != {"A", "B"}:
            raise CorruptAdapterError(f"{path}: {layer} has only lora_{''.join(found)}; expected A and B")
    if not factors:
        raise CorruptAdapterError(f"{path}: holds no tensors; expected lora_A and lora_B of each linear")
    return {layer: LoraPair(found["A"], found["B"]) for layer, found in sorted(factors.items())}


def _spec(path: Path, config: Mapping[str, Any], pairs: Mapping[str, LoraPair]) -> LoraSpec:
    targets = {layer.rpartition(".")[2] for layer in pairs}
    named = config.get("target_modules")
    if isinstance(named, list) and {str(name).rpartition(".")[2] for name in named} != targets:
        raise CorruptAdapterError(
            f"{path}: target_modules is {sorted(map(str, named))}, but the weights are of {sorted(targets)}; "
            f"the two files do not belong together"
        )
    values = {
        "rank": config.get("r"),
        "alpha": config.get("lora_alpha"),
        "targets": sorted(targets),
        "rslora": config.get("use_rslora") or False,
        "first_layer": first_layer(path, config.get("layers_to_transform"), pairs),
    }
    try:
        return LoraSpec.from_dict(values)
    except ValueError as error:
        raise CorruptAdapterError(
            f"{path}: r, lora_alpha or use_rslora is missing or wrong ({error})"
        ) from error


def _check_pair(where: str, pair: LoraPair, rank: int) -> None:
    A, B = pair
    if A.ndim != 2 or B.ndim != 2 or A.shape[0] != rank or B.shape[1] != rank or 0 in (*A.shape, *B.shape):
        raise CorruptAdapterError(
            f"{where}: A, B have shapes {tuple(A.shape)}, {tuple(B.shape)}; "
            f"expected ({rank}, d_in), (d_out, {rank}), since r is {rank}"
        )
    for factor, tensor in zip("AB", pair, strict=True):
        if not torch.isfinite(tensor).all():
            raise CorruptAdapterError(f"{where}: lora_{factor} holds NaN or infinity; train it again")
