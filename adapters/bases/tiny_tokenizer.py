"""The tiny base's tokenizer: byte-level BPE with a ChatML template, trained on the text it will meet."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCAB_SIZE = 4096
PAD, START, END = "<|pad|>", "<|im_start|>", "<|im_end|>"

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# Words keep their underscores (`create_post` is one token) and apostrophes; digits stand alone.
_WORDS = r" ?[\p{L}\p{M}_]+(?:'\p{L}+)?| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}_]+|\s+"


def train_tokenizer(texts: Iterable[str], *, vocab_size: int = VOCAB_SIZE) -> PreTrainedTokenizerFast:
    """Train the tokenizer; any Unicode text is encodable, through bytes.

    Args:
        texts: what the base will read and write, prompts included.
        vocab_size: ids in total, at least 259 (256 bytes and three special tokens).

    Returns:
        Ids 0, 1, 2 are `<|pad|>`, `<|im_start|>` and `<|im_end|>`.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        chat_template=CHATML,
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
