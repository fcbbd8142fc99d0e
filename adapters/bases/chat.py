"""Chat messages to token ids, with untrusted contents: no text can become a special token or end its turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from adapters.engines.protocol import Message, Role
from adapters.errors import BaseModelError

_SENTINEL = "PluresContentSlot{}Q"
_GUARD = "\n"


class ChatEncoder:
    """A `TextEncoder` over one Hugging Face fast tokenizer.

    The chat template is rendered with placeholders, never with the contents themselves. Its own pieces are
    tokenised with special tokens recognised, the contents by a second tokenizer that knows none, and
    the ids are joined. A special id in the result therefore always comes from the template, which makes the
    boundaries of messages unforgeable.

    A tokenizer without a chat template gets a plain format: begin ids, then for every message
    `role`, a line break, the content and the end-of-text token; the reply follows `assistant` and a line
    break. A template that refuses a system message gets it at the head of the first user message.
    Templates with a thinking switch are rendered with `enable_thinking=False`.

    Args:
        tokenizer: of the base; left unchanged.

    Raises:
        BaseModelError: when the tokenizer has no end-of-text token, or cannot write its own
            special tokens as plain text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        if tokenizer.eos_token_id is None:
            raise BaseModelError(
                f"{tokenizer.name_or_path}: the tokenizer has no eos_token, so no reply could end; "
                "set eos_token in tokenizer_config.json"
            )
        self._tokenizer = tokenizer
        self._plain, self._special_ids = _without_added_tokens(tokenizer)
        self._guard = tuple(self._plain.encode(_GUARD, add_special_tokens=False).ids)
        self._guarded = _adds_a_prefix(self._plain)
        self._slots: dict[tuple[Role, ...], tuple[tuple[int, ...], ...]] = {}
        self._check_specials_stay_text()
        self._end = (self._end_of_turn(),)

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids that no text can produce."""
        return self._special_ids

    @property
    def begin_ids(self) -> tuple[int, ...]:
        """The begin-of-text token where the base has one."""
        bos = self._tokenizer.bos_token_id
        return () if bos is None else (int(bos),)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The one token that ends the assistant's turn."""
        return self._end

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Plain text; no special token is added or recognised, and no leading space invented."""
        if not text:
            return ()
        if not self._guarded:
            return tuple(self._plain.encode(text, add_special_tokens=False).ids)
        ids = tuple(self._plain.encode(_GUARD + text, add_special_tokens=False).ids)
        # A merge across the guard is possible only for text that itself starts with a line break.
        return ids[len(self._guard) :] if ids[: len(self._guard)] == self._guard else ids

    def prompt_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Chat template applied, ending where the assistant's reply begins.

        Raises:
            BaseModelError: when the template does not take this sequence of roles.
        """
        turns = list(messages)
        roles = tuple(m.role for m in turns)
        pieces = self._pieces(roles)
        if pieces is None and roles[:2] == ("system", "user"):
            turns = [Message("user", f"{turns[0].content}\n\n{turns[1].content}"), *turns[2:]]
            roles = tuple(m.role for m in turns)
            pieces = self._pieces(roles)
        if pieces is None:
            raise BaseModelError(
                f"{self._tokenizer.name_or_path}: the chat template does not take messages with the roles "
                f"{', '.join(roles)}; most take an optional system message, then user and assistant in turn"
            )
        ids = list(pieces[0])
        for message, piece in zip(turns, pieces[1:], strict=True):
            ids += self.text_ids(message.content)
            ids += piece
        return tuple(ids)

    def _pieces(self, roles: tuple[Role, ...]) -> tuple[tuple[int, ...], ...] | None:
        """The template's own ids before, between and after the contents; None when it refuses the roles."""
        if roles not in self._slots:
            texts = self._template_texts(roles, reply_follows=True)
            if texts is None:
                return None
            self._slots[roles] = tuple(self._trusted_ids(text) for text in texts)
        return self._slots[roles]

    def _template_texts(self, roles: tuple[Role, ...], *, reply_follows: bool) -> list[str] | None:
        slots = [_SENTINEL.format(n) for n in range(len(roles))]
        if self._tokenizer.chat_template is None:
            return self._plain_texts(roles, reply_follows=reply_follows)
        conversation = [{"role": role, "content": slot} for role, slot in zip(roles, slots, strict=True)]
        try:
            rest = self._tokenizer.apply_chat_template(
                conversation, tokenize=False, add_generation_prompt=reply_follows, enable_thinking=False
            )
        except TemplateError:
            return None
        texts = []
        for slot in slots:
            if rest.count(slot) != 1:
                return None
            before, rest = rest.split(slot)
            texts.append(before)
        return [*texts, rest]

    def _plain_texts(self, roles: tuple[Role, ...], *, reply_follows: bool) -> list[str]:
        begin, end = self._tokenizer.bos_token or "", self._tokenizer.eos_token
        texts = [f"{end if n else begin}{role}\n" for n, role in enumerate(roles)]
        return [*texts, f"{end}assistant\n" if reply_follows else end]

    def _trusted_ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False)) if text else ()

    def _end_of_turn(self) -> int:
        texts = self._template_texts(("user", "assistant"), reply_follows=False)
        after_reply = self._trusted_ids(texts[-1]) if texts else ()
        return next((i for i in after_reply if i in self._special_ids), int(self._tokenizer.eos_token_id))

    def _check_specials_stay_text(self) -> None:
        for literal, token_id in self._tokenizer.get_added_vocab().items():
            if token_id in self._special_ids and self._special_ids & set(self.text_ids(literal)):
                raise BaseModelError(
                    f"{self._tokenizer.name_or_path}: the tokenizer turns the text {literal!r} into a "
                    "special token even when told not to, so a post could end its turn; use a BPE-based base"
                )


def _without_added_tokens(tokenizer: PreTrainedTokenizerFast) -> tuple[Tokenizer, frozenset[int]]:
    """A copy of the backend that recognises no added tokens but runs of white space, and the ids left out."""
    spec: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = [t for t in spec["added_tokens"] if not t["special"] and not t["content"].strip()]
    left_out = frozenset(t["id"] for t in spec["added_tokens"]) - {t["id"] for t in kept}
    spec.update(added_tokens=kept, post_processor=None, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(spec)), left_out


def _adds_a_prefix(plain: Tokenizer) -> bool:
    """Whether the tokenizer invents a space before text, as SentencePiece-style ones do."""
    return bool(
        plain.decode(plain.encode("a", add_special_tokens=False).ids, skip_special_tokens=False) != "a"
    ) or (plain.encode("a", add_special_tokens=False).tokens[0] != "a")
