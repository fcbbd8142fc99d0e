"""What a server needs to know of a base before it starts: fingerprint, context, and what a slot costs in memory."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.errors import BaseModelError
from adapters.safetensors_header import ITEM_BYTES, TensorPlace, read_header
from adapters.untrusted import UntrustedError

FINGERPRINT_DIGITS = 12
"""Hexadecimal digits of the base's fingerprint in the name it is served under."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._]+")
_LONGEST_NAME = 64
_NO_LINEAR = re.compile("embed|^(wte|wpe|lm_head)$")
_EXPERT_KEYS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True, slots=True)
class ServedBase:
    """A base model as files, without its weights in memory.

    Args:
        name: profile name, hub id or folder name.
        path: folder that it lies in.
        fingerprint: SHA-256 (hex), as `adapters.bases.loader.fingerprint` defines it.
        context: most tokens of prompt and reply together.
        widths: target (last part of a linear's name) → Σ of inputs + outputs over all such linears of the model.
        parameters: numbers in the weights.
        expert_widths: hidden sizes that an expert's matrices have; empty for a dense base.
    """

    name: str
    path: Path
    fingerprint: str
    context: int
    widths: Mapping[str, int]
    parameters: int
    expert_widths: tuple[int, ...]

    @property
    def served_name(self) -> str:
        """NAME@DIGITS: what clients ask for, so that one of another base is refused by name."""
        return served_name(self.name, self.fingerprint)

    def slot_bytes(self, targets: tuple[str, ...], rank: int, item_bytes: int) -> int:
        """Memory of one adapter at a rank: A (r, in) and B (out, r) for each of its linears."""
        return rank * item_bytes * sum(self.widths[target] for target in targets)


def served_name(name: str, fingerprint: str) -> str:
    """The name a base is served under: letters of its own name, and the first digits of its fingerprint.

    Source: ours. Two folders of one name but other weights, tokenizer or template get other names.
    """
    plain = _NOT_IN_NAMES.sub("-", name).strip("-.")[:_LONGEST_NAME] or "base"
    return f"{plain}@{fingerprint[:FINGERPRINT_DIGITS]}"


def read_served_base(ref: str | Path) -> ServedBase:
    """Read what the files of a base say; its weights stay on the disk.

    Args:
        ref: a profile name (`tiny-moe`), a folder, or a hub id that is already in the local cache.

    Raises:
        BaseModelError: for a base that is missing or damaged.
    """
    from adapters.bases.loader import PROFILES, base_path, fingerprint

    path = base_path(ref)
    config = _text_config(path)
    tensors = _tensors(path)
    experts = any(config.get(key, 0) for key in _EXPERT_KEYS)
    sizes = {_count(path, config, key) for key in ("hidden_size", "moe_intermediate_size") if key in config}
    return ServedBase(
        name=str(ref) if str(ref) in PROFILES or not Path(ref).is_dir() else path.name,
        path=path,
        fingerprint=fingerprint(path),
        context=_count(path, config, "max_position_embeddings"),
        widths=_widths(tensors),
        parameters=sum(math.prod(place.shape) for place in tensors.values()),
        expert_widths=tuple(sorted(sizes)) if experts else (),
    )


def item_bytes(dtype: str) -> int:
    """Bytes of one number of `float32`, `bfloat16` or `float16`."""
    return ITEM_BYTES[{"float32": "F32", "bfloat16": "BF16", "float16": "F16"}[dtype]]


def _text_config(path: Path) -> dict[str, Any]:
    file = path / "config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BaseModelError(
            f"{path}: config.json is missing; expected a Hugging Face model folder"
        ) from error
    except ValueError as error:
        raise BaseModelError(f"{file}: not readable as JSON ({error}); copy the model again") from error
    if not isinstance(config, dict):
        raise BaseModelError(f"{file}: expected an object of keys and values; copy the model again")
    inner = config.get("text_config", config)  # where a base also takes pictures
    return inner if isinstance(inner, dict) else config


def _count(path: Path, config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise BaseModelError(f"{path / 'config.json'}: {key}: got {value!r}; expected a whole number from 1")
    return value


def _tensors(path: Path) -> dict[str, TensorPlace]:
    files = sorted(path.glob("*.safetensors"))
    if not files:
        raise BaseModelError(
            f"{path}: no *.safetensors; expected a Hugging Face model folder with its weights"
        )
    found: dict[str, TensorPlace] = {}
    for file in files:
        try:
            with file.open("rb") as stream:
                found |= read_header(stream, file.stat().st_size).tensors
        except UntrustedError as error:
            raise BaseModelError(f"{file}: {error}; copy the model again") from error
    return found


def _widths(tensors: Mapping[str, TensorPlace]) -> dict[str, int]:
    """Inputs + outputs of every linear, summed by the last part of its name; embeddings and the head are none."""
    widths: dict[str, int] = {}
    for name, place in tensors.items():
        module, _, kind = name.rpartition(".")
        target = module.rpartition(".")[2]
        if kind == "weight" and len(place.shape) == 2 and not _NO_LINEAR.search(target):
            widths[target] = widths.get(target, 0) + sum(place.shape)
    return widths
