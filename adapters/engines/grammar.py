"""Regular expressions that replies must match, tracked token by token (llguidance)."""

from __future__ import annotations

from collections.abc import Sequence

import llguidance
import llguidance.hf
import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from adapters.errors import GrammarError


def lark_grammar(expression: str, *, end_id: int | None = None) -> str:
    """A regular expression as a grammar of llguidance, in the dialect of Lark.

    Without forcing, a mask holds every token that can go on, not only the canonical ones where the text is forced:
    what a matcher accepts and what its mask shows are then the same.

    Args:
        expression: that the whole text must match; not checked here.
        end_id: token that must follow the text; None where the tokenizer's own end token does.
    """
    end = "" if end_id is None else f" <[{end_id}]>"
    return f'%llguidance {{"no_forcing": true}}\nstart: /{llguidance.regex_to_lark(expression, "")}/{end}'


class Constraint:
    """Where one reply stands in its expression."""

    def __init__(self, matcher: llguidance.LLMatcher, end_id: int) -> None:
        self.matcher = matcher
        self._end_id = end_id

    def take(self, token: int) -> bool:
        """Go on by `token` where the expression allows it; otherwise stay and say False.

        The end-of-turn token is allowed exactly where the expression is complete.
        """
        if self.matcher.is_stopped():  # nothing can follow but the end; a failed matcher counts as stopped
            return token == self._end_id and not self.matcher.is_error()
        return bool(self.matcher.try_consume_tokens([token]) == 1)

    @property
    def failure(self) -> str | None:
        """Why no further token can be judged (a limit of the matcher was hit), or None."""
        return self.matcher.get_error() if self.matcher.is_error() else None


class GrammarCompiler:
    """Makes constraints over one tokenizer.

    Args:
        tokenizer: of the base.
        vocabulary: number of logits, which may exceed the tokenizer's ids.
        end_id: token that ends the assistant's turn.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, vocabulary: int, end_id: int) -> None:
        self._tokens = llguidance.hf.from_tokenizer(
            tokenizer, n_vocab=vocabulary, eos_token=end_id, slices=[]
        )
        self._vocabulary = vocabulary
        self._end_id = end_id
        self._executor = llguidance.LLExecutor()
        self._compiled: dict[str, llguidance.LLMatcher] = {}

    def compile(self, expression: str) -> Constraint:
        """A constraint at the start of `expression`.

        Raises:
            GrammarError: the expression is invalid, uses look-around or back-references, or matches nothing.
        """
        if expression not in self._compiled:
            self._compiled[expression] = self._matcher(expression)
        return Constraint(self._compiled[expression].deep_copy(), self._end_id)

    def _matcher(self, expression: str) -> llguidance.LLMatcher:
        matcher = llguidance.LLMatcher(self._tokens, lark_grammar(expression), log_level=0)
        if matcher.is_error():
            raise GrammarError(f"grammar {expression!r}: {matcher.get_error()}")
        start = Constraint(matcher.deep_copy(), self._end_id)
        others = self.allowed([start])[0]
        others[self._end_id] = False
        if not others.any() and not matcher.is_accepting():
            raise GrammarError(f"grammar {expression!r}: no text matches it, so no reply could be written")
        return matcher

    def forget(self) -> None:
        """Drop what was compiled; expressions name the posts of one step, so they seldom come again."""
        self._compiled.clear()

    def allowed(self, constraints: Sequence[Constraint]) -> Tensor:
        """Which tokens each constraint allows next, computed in parallel: bool [constraints, vocabulary]."""
        words = (self._vocabulary + 31) // 32
        masks = np.zeros((len(constraints), words), dtype=np.int32)
        self._executor.unsafe_compute_mask_ptr(
            [(c.matcher, i) for i, c in enumerate(constraints)],
            masks.ctypes.data,
            words * 4,
            len(constraints),
        )
        bits = np.unpackbits(masks.view(np.uint8), axis=1, bitorder="little", count=self._vocabulary)
        return torch.from_numpy(bits.view(np.bool_))
