"""The opinion models by name."""

from __future__ import annotations

from typing import Literal, get_args

from agents.errors import OpinionError
from agents.opinion.averaging import DeGroot, FriedkinJohnsen
from agents.opinion.bounded_confidence import BoundedConfidence
from agents.opinion.hegselmann_krause import HegselmannKrause
from agents.opinion.lorenz import Lorenz
from agents.opinion.protocol import OpinionModel
from agents.opinion.stochastic_bounded_confidence import StochasticBoundedConfidence

OpinionCondition = Literal[
    "bounded_confidence",
    "stochastic_bounded_confidence",
    "hegselmann_krause",
    "lorenz",
    "degroot",
    "friedkin_johnsen",
]
OPINION_CONDITIONS: tuple[OpinionCondition, ...] = get_args(OpinionCondition)

MODELS: dict[OpinionCondition, type[OpinionModel]] = {
    "bounded_confidence": BoundedConfidence,
    "stochastic_bounded_confidence": StochasticBoundedConfidence,
    "hegselmann_krause": HegselmannKrause,
    "lorenz": Lorenz,
    "degroot": DeGroot,
    "friedkin_johnsen": FriedkinJohnsen,
}
"""Name → class, as scenarios and the command line know it."""


def model_named(name: str) -> type[OpinionModel]:
    """The class of a model.

    Raises:
        OpinionError: for an unknown name, listing the known ones.
    """
    for known, model in MODELS.items():
        if known == name:
            return model
    raise OpinionError(f"opinion model {name!r}: unknown; expected one of {', '.join(MODELS)}")
