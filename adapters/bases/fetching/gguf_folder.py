"""A llama-family GGUF file as a Hugging Face folder: weights de-quantised, tokenizer rebuilt.

transformers de-quantises and renames the tensors. Its own conversion of this kind of tokenizer would not do: it
leaves out the splitting of numbers into digits, puts a begin-of-text token before every text and takes that
token for the end of text (transformers 4.57). So the tokenizer is put together here from the file's own tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from adapters.errors import BaseModelError

_CONTROL = 3  # gguf.TokenType.CONTROL
_SPLITTERS: Mapping[str, list[Any]] = {
    # Numbers digit by digit, then GPT-2's words: what the name stands for in llama.cpp.
    "smollm": [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ],
    "gpt-2": [pre_tokenizers.ByteLevel(add_prefix_space=False)],
}


def write_folder(file: Path, folder: Path) -> None:
    """Convert `file` into an existing `folder`: config, float32 safetensors, tokenizer, chat template.

    Raises:
        BaseModelError: for a file that is none, or whose tokenizer is of another kind.
    """
    tokenizer = read_tokenizer(file)
    model = _read_model(file)
    for settings in (model.config, model.generation_config):
        settings.bos_token_id = tokenizer.bos_token_id
        settings.eos_token_id = tokenizer.eos_token_id
        settings.pad_token_id = tokenizer.pad_token_id
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder, safe_serialization=True)


def read_tokenizer(file: Path) -> PreTrainedTokenizerFast:
    """The byte-level BPE tokenizer that a GGUF file describes.

    Raises:
        BaseModelError: for a damaged file or a tokenizer of another kind.
    """
    facts = _facts(file)
    kind, splitter = facts.get("tokenizer.ggml.model"), str(facts.get("tokenizer.ggml.pre"))
    if kind != "gpt2" or splitter not in _SPLITTERS:
        raise BaseModelError(
            f"{file}: its tokenizer is {kind!r} with splitter {splitter!r}; expected gpt2 with one of "
            f"{', '.join(_SPLITTERS)}"
        )
    tokens: list[str] = facts["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in facts["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.Sequence(_SPLITTERS[splitter])
    made.decoder = decoders.ByteLevel()
    special = [t for t, k in zip(tokens, facts["tokenizer.ggml.token_type"], strict=True) if k == _CONTROL]
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=tokens[facts["tokenizer.ggml.bos_token_id"]],
        eos_token=tokens[facts["tokenizer.ggml.eos_token_id"]],
        unk_token=tokens[facts["tokenizer.ggml.unknown_token_id"]],
        pad_token=tokens[facts["tokenizer.ggml.padding_token_id"]],
        model_max_length=facts[f"{facts['general.architecture']}.context_length"],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = facts["tokenizer.chat_template"]
    return tokenizer


def _facts(file: Path) -> dict[str, Any]:
    """Every key of the file's header."""
    from gguf import GGUFReader

    try:
        return {key: field.contents() for key, field in GGUFReader(file).fields.items()}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BaseModelError(f"{file}: not a readable GGUF file ({error})") from error


def _read_model(file: Path) -> PreTrainedModel:
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            str(file.parent), gguf_file=file.name, dtype=torch.float32, local_files_only=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError) as error:
        raise BaseModelError(f"{file}: transformers cannot read this GGUF file ({error})") from error
    return model
