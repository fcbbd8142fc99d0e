"""Base models from disk: the shipped tiny MoE, or any Hugging Face causal-LM folder with safetensors."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from adapters.bases.chat import ChatEncoder
from adapters.bases.fetching.sources import SOURCES
from adapters.bases.home import fetched_base, fetched_bases
from adapters.bases.weights import Weights, skeleton
from adapters.errors import BaseModelError

PROFILES = {"tiny-moe": Path(__file__).parent / "tiny_moe"}
"""Bases that ship with the package, by name."""

TOY_KEY = "plures_toy"
"""A key of `config.json`: true marks a base whose results demonstrate the machinery and nothing more."""

# As `plures base upcycle` names its folders.
_UPCYCLED = re.compile(r"(?P<dense>.+)-(?P<experts>\d+)x(?P<top_k>\d+)")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_FINGERPRINTED = (
    "config.json",
    "*.safetensors",
    "tokenizer*.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "chat_template*",
)


@dataclass(frozen=True)
class Base:
    """A frozen base model with its tokenizer; all but `model` is there without its weights.

    Args:
        name: profile name, hub id or folder name.
        path: folder it was read from.
        fingerprint: SHA-256 (hex) over the names and bytes of config, weights and tokenizer files.
        config: what transformers reads of `config.json`.
        weights: in memory from their first use on.
        tokenizer: the base's own, unchanged.
        encoder: turns messages and untrusted text into ids.
        is_toy: whether results on this base are demonstrations only.
    """

    name: str
    path: Path
    fingerprint: str
    config: PretrainedConfig
    weights: Weights
    tokenizer: PreTrainedTokenizerFast
    encoder: ChatEncoder
    is_toy: bool

    @property
    def model(self) -> PreTrainedModel:
        """The model in eval mode, without gradients; its weights are read now if they are not in memory.

        Raises:
            BaseModelError: for weights that do not make the model that the config describes.
        """
        return self.weights.model

    @cached_property
    def skeleton(self) -> PreTrainedModel:
        """The model's modules and shapes, without weights.

        Raises:
            BaseModelError: for a config that is none of a causal language model.
        """
        return skeleton(self.path, self.config)

    @property
    def vocabulary(self) -> int:
        """Token ids run from 0 to vocabulary − 1."""
        return int(self.config.vocab_size)

    @property
    def longest(self) -> int:
        """Tokens that the base can attend to."""
        limits = (self.config.max_position_embeddings, getattr(self.config, "sliding_window", None))
        return int(min(limit for limit in limits if limit is not None))


def load_base(ref: str | Path, *, device: str = "cpu", dtype: str = "float32") -> Base:
    """Read a base model with its weights; never touches the network.

    Args:
        ref: a profile name (`tiny-moe`), a fetched base (`smollm2`), a folder, or a hub id that is already in the
            local cache.
        device: torch device such as `cpu`, `cuda` or `mps`.
        dtype: `float32`, `bfloat16` or `float16`, whatever the file holds.

    Raises:
        BaseModelError: for anything missing, unreadable, incomplete or unsafe (pickled weights).
    """
    base = open_base(ref, device=device, dtype=dtype)
    _ = base.model
    return base


def open_base(ref: str | Path, *, device: str = "cpu", dtype: str = "float32") -> Base:
    """Read all of a base but its weights: they come with the first use of `model`.

    Args:
        ref: as for `load_base`.
        device: where the weights will be.
        dtype: what they will be.

    Raises:
        BaseModelError: as `load_base`, but for tensors that turn out to be missing from sound files.
    """
    if dtype not in _DTYPES:
        raise BaseModelError(f"dtype: got {dtype!r}; expected one of {', '.join(_DTYPES)}")
    path = base_path(ref)
    plain = _read_config(path)
    _check_weights(path)
    tokenizer = _load_tokenizer(path)
    config = _understood(path, tokenizer)
    return Base(
        name=str(ref) if str(ref) in PROFILES else path.name if Path(ref).is_dir() else str(ref),
        path=path,
        fingerprint=fingerprint(path),
        config=config,
        weights=Weights(path, device, _DTYPES[dtype]),
        tokenizer=tokenizer,
        encoder=ChatEncoder(tokenizer),
        is_toy=bool(plain.get(TOY_KEY, False)),
    )


def base_path(ref: str | Path) -> Path:
    """The folder that `ref` names.

    Raises:
        BaseModelError: when there is none on this machine.
    """
    if str(ref) in PROFILES:
        return PROFILES[str(ref)]
    path = Path(ref).expanduser()
    if path.is_dir():
        return path.resolve()
    if fetched := fetched_base(str(ref)):
        return fetched
    if isinstance(ref, str) and ref.count("/") == 1 and not ref.startswith((".", "/", "~")):
        return _cached_hub_folder(ref)
    raise BaseModelError(f"{ref}: no such base on this machine; {_cure(str(ref))}")


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) over the names and bytes of the files that decide what the base computes."""
    sha = hashlib.sha256()
    for file in sorted({f for pattern in _FINGERPRINTED for f in path.glob(pattern)}):
        sha.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                sha.update(block)
    return sha.hexdigest()


def _cure(ref: str) -> str:
    if ref in SOURCES:
        return f"get it once with `plures base fetch {ref}` (without a network: bring its wheel, add --wheel FILE)"
    if (made := _UPCYCLED.fullmatch(ref)) and (made["dense"] in SOURCES or fetched_base(made["dense"])):
        sizes = f"--experts {made['experts']} --top-k {made['top_k']}"
        return f"make it once with `plures base upcycle {made['dense']} {sizes}`"
    here = ", ".join([*PROFILES, *fetched_bases()])
    return (
        f"expected the folder of a Hugging Face model, a hub id (OWNER/NAME), or one of {here}. "
        f"`plures base fetch` gets {', '.join(SOURCES)} or a hub id"
    )


def _cached_hub_folder(hub_id: str) -> Path:
    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise BaseModelError(
            f"{hub_id}: neither a folder, nor fetched, nor in the local Hugging Face cache. Bases are never fetched "
            f"during a run: where there is a network, run `plures base fetch {hub_id}` first. Otherwise run "
            f"`hf download {hub_id} --local-dir DIR` where there is one, bring DIR here, and give DIR as the base"
        ) from error


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json"
    if not file.is_file():
        raise BaseModelError(f"{path}: config.json is missing; expected a Hugging Face model folder")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelError(f"{file}: not readable as JSON ({error}); copy the model again") from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise BaseModelError(f"{file}: no model_type; expected the config of a Hugging Face model")
    return config


def _check_weights(path: Path) -> None:
    """Safetensors only, every shard there, every header consistent with its file's length."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            files = [
                path / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))
            ]
        except (ValueError, KeyError, AttributeError) as error:
            raise BaseModelError(
                f"{index}: not a safetensors index ({error}); copy the model again"
            ) from error
    else:
        files = [path / "model.safetensors"]
    for file in files:
        if not file.is_file():
            pickled = sorted(p.name for pattern in ("*.bin", "*.pt", "*.pth") for p in path.glob(pattern))
            cure = (
                f"{', '.join(pickled)} can run code when opened and are refused; convert them with "
                "`model.save_pretrained(DIR, safe_serialization=True)` where you trust them"
                if pickled
                else "copy the model again"
            )
            raise BaseModelError(f"{file}: weights are missing; {cure}")
        try:
            with safe_open(file, framework="pt"):
                pass
        except SafetensorError as error:
            raise BaseModelError(
                f"{file}: truncated or no safetensors file ({error}); copy the model again"
            ) from error


def _load_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    if not any((path / name).is_file() for name in _TOKENIZER_FILES):
        raise BaseModelError(f"{path}: no tokenizer; expected one of {', '.join(_TOKENIZER_FILES)}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path), local_files_only=True, use_fast=True)
    except Exception as error:  # tokenizers raises a bare Exception for a damaged tokenizer.json
        raise BaseModelError(
            f"{path}: the tokenizer does not load ({error}); copy the model again"
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise BaseModelError(f"{path}: the tokenizer has no fast version; save one as tokenizer.json")
    return tokenizer


def _understood(path: Path, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    """The config as transformers understands it, after a look at whether the tokenizer belongs to it."""
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(str(path), local_files_only=True)
        rows = int(config.vocab_size)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BaseModelError(f"{path}: not loadable as a causal language model ({error})") from error
    if (highest := max(tokenizer.get_vocab().values())) >= rows:
        raise BaseModelError(
            f"{path}: the tokenizer has ids up to {highest}, the model embeddings for 0 to {rows - 1} only; "
            "tokenizer and weights belong to different models"
        )
    return config
