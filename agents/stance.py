"""Stance by asking a language model: how likely each answer is after one text, freed of the prompt's own bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.engines.protocol import Engine, Message, ScoreRequest, TextEncoder
from agents.errors import JudgementError
from agents.text import clean_text, quote
from metrics.stance.judged import JudgedLearner
from metrics.stance.learner import Margins, log_probabilities

NAME = "language_model"
CONTENT_FREE = ("N/A", "[MASK]", "")
"""Texts that say nothing: what the model answers to them is its bias."""

LONGEST = 600
"""Characters of a text that are shown; longer ones are cut."""

_BATCH = 128  # texts


@dataclass(frozen=True, slots=True)
class StanceQuestion:
    """What the model is asked, and the words in which it can answer.

    Args:
        question: such as "What does the author of this post think of Russia?"
        answers: label → word; at least two, of which none begins another.
    """

    question: str
    answers: Mapping[str, str]

    def __post_init__(self) -> None:
        if len(self.answers) < 2:
            raise JudgementError(f"answers: got {len(self.answers)}; a stance needs at least two labels")
        for label, word in self.answers.items():
            if not clean_text(word):
                raise JudgementError(f"answers: label {label!r} has no word; give each label one")
            for other, longer in self.answers.items():
                if other != label and longer.startswith(word):
                    raise JudgementError(
                        f"answers: {word!r} ({label}) begins {longer!r} ({other}) and would always be the likelier; "
                        "choose words of which none begins another"
                    )

    def messages(self, text: str) -> tuple[Message, ...]:
        """The prompt; the text is untrusted and stands in it as one JSON string."""
        words = list(self.answers.values())
        choice = f"{', '.join(words[:-1])} or {words[-1]}"
        system = f"{clean_text(self.question)} Answer with one word: {choice}."
        return (Message("system", system), Message("user", quote(text[:LONGEST])))


class LanguageModelJudge:
    """Gives texts margins by the log-likelihood of each answer, less that after content-free texts.

    The model is taken as it is: labelled texts serve to calibrate it and to take its record, never to teach it.

    Args:
        engine: scores.
        encoder: of the same base.
        question: what to ask.
        adapter: revision under which it answers; None is the bare base.
        on_progress: told of texts judged and texts in all, during each call.

    Source: Zhao et al. 2021, "Calibrate Before Use" (contextual calibration: W = diag(p_cf)⁻¹, b = 0).
    """

    def __init__(
        self,
        engine: Engine,
        encoder: TextEncoder,
        question: StanceQuestion,
        *,
        adapter: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._engine, self._question, self._adapter = engine, question, adapter
        self._encoder = encoder
        self._words = [encoder.text_ids(word) for word in question.answers.values()]
        self._told = on_progress
        self._bias: NDArray[np.float64] | None = None

    def margins(self, texts: Sequence[str]) -> Margins:
        """[texts, labels] in the order of the answers; with two labels [texts, 1], second over first.

        Raises:
            JudgementError: when the engine refuses a text; names it.
        """
        if not len(texts):
            return np.zeros((0, self._width))
        if self._bias is None:
            after_nothing = np.exp(log_probabilities(self._log_likelihoods(CONTENT_FREE)))
            self._bias = np.log(after_nothing.mean(axis=0))
        parts = []
        for start in range(0, len(texts), _BATCH):
            parts.append(self._log_likelihoods(texts[start : start + _BATCH]))
            if self._told is not None:
                self._told(min(start + _BATCH, len(texts)), len(texts))
        freed = log_probabilities(np.concatenate(parts)) - self._bias
        return freed if self._width > 1 else freed[:, 1:] - freed[:, :1]

    @property
    def learner(self) -> JudgedLearner:
        """Among the learners of `metrics.stance`; its classes have to be in the order of the answers."""
        return JudgedLearner(self.margins, NAME)

    @property
    def _width(self) -> int:
        return len(self._words) if len(self._words) > 2 else 1

    def _log_likelihoods(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[texts, answers]: sum of the log-probabilities of each answer's tokens."""
        prompts = [self._encoder.prompt_ids(self._question.messages(text)) for text in texts]
        requests = [
            ScoreRequest(f"{i}/{j}", prompt, word, self._adapter)
            for i, prompt in enumerate(prompts)
            for j, word in enumerate(self._words)
        ]
        found = []
        for request, result in zip(requests, self._engine.score(requests), strict=True):
            if result.error is not None:
                text = texts[int(request.request_id.split("/")[0])]
                raise JudgementError(f"asked about {text[:60]!r}: {result.error.message}")
            found.append(sum(result.logprobs))
        return np.array(found).reshape(len(texts), len(self._words))
