"""What ends a reply and how its tokens read: the same for every engine that knows the base's tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers import GenerationConfig, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from adapters.bases.loader import Base

NOT_FINITE = "the model gave values that are not finite; is the adapter damaged?"


def stop_ids(base: Base) -> frozenset[int]:
    """The end of the assistant's turn, and whatever else the base's generation settings stop at."""
    try:
        settings = GenerationConfig.from_pretrained(str(base.path), local_files_only=True)
    except OSError:  # a base without such a file, for which transformers takes its config
        settings = GenerationConfig.from_model_config(base.config)
    others = settings.eos_token_id
    others = [] if others is None else [others] if isinstance(others, int) else others
    return frozenset((base.encoder.end_ids[0], *others))


def reply_text(tokenizer: PreTrainedTokenizerFast, tokens: Sequence[int], *, stopped: bool) -> str:
    """The text of a reply.

    Args:
        tokenizer: of the base.
        tokens: of the reply.
        stopped: whether the last one is a token that ends replies, and so no part of the text.
    """
    text: str = tokenizer.decode(
        tokens[:-1] if stopped else tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return text
