"""A base's weights: read when they are first needed, let go when something else needs their memory."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from adapters.bases.experts import fuse_experts
from adapters.errors import BaseModelError


class Weights:
    """The model in a folder, in memory from the first `model` until `release`.

    Args:
        path: a Hugging Face folder with safetensors.
        device: torch device such as `cpu`, `cuda` or `mps`.
        dtype: of the weights in memory, whatever the files hold.
    """

    def __init__(self, path: Path, device: str, dtype: torch.dtype) -> None:
        self._path, self._device, self._dtype = path, device, dtype
        self._model: PreTrainedModel | None = None

    @property
    def loaded(self) -> bool:
        """Whether they are in memory now."""
        return self._model is not None

    @property
    def model(self) -> PreTrainedModel:
        """The model in eval mode, without gradients; read now if it is not in memory.

        Raises:
            BaseModelError: for files that do not make a causal language model.
        """
        if self._model is None:
            self._model = _read(self._path, self._device, self._dtype)
        return self._model

    def release(self) -> None:
        """Forget the model; its memory is free once nobody else holds it. The next `model` reads it again."""
        self._model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def skeleton(path: Path, config: PretrainedConfig) -> PreTrainedModel:
    """The model's modules with their shapes and no numbers (torch's meta device).

    Raises:
        BaseModelError: for a config that is none of a causal language model.
    """
    try:
        with torch.device("meta"):
            bones: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    except (ValueError, KeyError, AttributeError, RuntimeError) as error:
        raise _no_model(path, error) from error
    return bones.requires_grad_(False)


def _read(path: Path, device: str, dtype: torch.dtype) -> PreTrainedModel:
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            str(path),
            dtype=dtype,
            attn_implementation="sdpa",
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _no_model(path, error) from error
    if info["missing_keys"]:
        some = ", ".join(sorted(info["missing_keys"])[:3])
        raise BaseModelError(
            f"{path}: {len(info['missing_keys'])} tensors of the model are not in its safetensors files "
            f"(such as {some}); a mixture-of-experts base must be saved by transformers 4"
        )
    model.requires_grad_(False)
    fuse_experts(model)
    loaded: PreTrainedModel = model.to(device).eval()
    return loaded


def _no_model(path: Path, error: Exception) -> BaseModelError:
    return BaseModelError(f"{path}: not loadable as a causal language model ({error})")
