"""The scenario's block of stance: who reads it off a text, and what counts how much in a user's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from metrics.stance.users import StanceWeights
from sim.block import Block

_WEIGHTS = StanceWeights()


class LanguageModelStanceBlock(Block):
    """How the base itself is asked; for `kind: language_model` alone."""

    question: str = "On which side is the author of this post?"
    """Stands in the prompt before the post."""
    answers: tuple[str, str] | None = None
    """Words for the supportive and the skeptical side; null takes the sides' own names."""
    posts_per_user: int = Field(default=10, ge=1)
    """Training posts of each person that are judged to calibrate the answers and to take their record."""


class StanceBlock(Block):
    """Who reads stance, and what counts how much in a user's: weights against each other, from 0 up (ours)."""

    kind: Literal["tfidf", "minilm", "lexicon", "tfidf+minilm", "language_model"] = "tfidf"
    """The scorer: `tfidf`, `minilm`, `lexicon`, `tfidf+minilm`, fitted on the corpus; or `language_model`, the base."""
    language_model: LanguageModelStanceBlock = LanguageModelStanceBlock()
    """How the base itself is asked."""
    post: float = Field(default=_WEIGHTS.post, ge=0, allow_inf_nan=False)
    """A post of one's own."""
    quote: float = Field(default=_WEIGHTS.quote, ge=0, allow_inf_nan=False)
    """The words added to a shared post."""
    comment: float = Field(default=_WEIGHTS.comment, ge=0, allow_inf_nan=False)
    """A comment."""
    repost: float = Field(default=_WEIGHTS.repost, ge=0, allow_inf_nan=False)
    """A shared post, at the stance of its words."""
    like: float = Field(default=_WEIGHTS.like, ge=0, allow_inf_nan=False)
    """A like, at the liked post's stance."""
    dislike: float = Field(default=_WEIGHTS.dislike, ge=0, allow_inf_nan=False)
    """A dislike, at minus the disliked post's stance."""
    seed: float = Field(default=_WEIGHTS.seed, ge=0, allow_inf_nan=False)
    """Seed posts; they are the same in all conditions."""

    @model_validator(mode="after")
    def _asked_for(self) -> StanceBlock:
        if self.kind != "language_model" and self.language_model != LanguageModelStanceBlock():
            raise ValueError(
                f"language_model: set, but kind is {self.kind}; set kind: language_model or delete these keys"
            )
        return self

    @property
    def weights(self) -> StanceWeights:
        """The weights alone."""
        return StanceWeights(**self.model_dump(exclude={"kind", "language_model"}))
