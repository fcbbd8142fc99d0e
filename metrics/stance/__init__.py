"""Stance: a number in [−1, 1] for a text, and from the texts and likes of a person one for the person."""

from __future__ import annotations

from metrics.stance.fitting import fit_stance_scorer
from metrics.stance.held_out import HeldOut
from metrics.stance.kinds import TEXT_KINDS, TextKind, learner
from metrics.stance.label_record import LabelRecord
from metrics.stance.labelled import LabelledScorer, evaluate, fit_labelled
from metrics.stance.scorer import StanceScorer, TextScorer
from metrics.stance.users import StanceWeights, stance_evidence, user_stance, user_stance_by_step

__all__ = [
    "TEXT_KINDS",
    "HeldOut",
    "LabelRecord",
    "LabelledScorer",
    "StanceScorer",
    "StanceWeights",
    "TextKind",
    "TextScorer",
    "evaluate",
    "fit_labelled",
    "fit_stance_scorer",
    "learner",
    "stance_evidence",
    "user_stance",
    "user_stance_by_step",
]
