"""The scenario's block of opinion models: their parameters, with the ranges and defaults of `agents.opinion`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agents.opinion.averaging import DeGroot, FriedkinJohnsen
from agents.opinion.bounded_confidence import BoundedConfidence
from agents.opinion.hegselmann_krause import HegselmannKrause
from agents.opinion.lorenz import Lorenz
from agents.opinion.models import MODELS, OpinionCondition
from agents.opinion.protocol import OpinionModel
from agents.opinion.stochastic_bounded_confidence import Pull, StochasticBoundedConfidence
from sim.block import Block


def _parameter(default: OpinionModel, name: str) -> Any:
    low, high = default.RANGES[name]
    return Field(default=getattr(default, name), ge=low, le=high)


_BOUNDED = BoundedConfidence()
_STOCHASTIC = StochasticBoundedConfidence()
_NEAR = HegselmannKrause()
_LORENZ = Lorenz()
_DEGROOT = DeGroot()
_FRIEDKIN = FriedkinJohnsen()


class BoundedConfidenceBlock(Block):
    """Deffuant et al. 2000."""

    epsilon: float = _parameter(_BOUNDED, "epsilon")
    """Neighbours at this distance of stance, or further, do not count."""
    alpha: float = _parameter(_BOUNDED, "alpha")
    """Part of the difference that one meeting closes."""
    mutual: bool = _BOUNDED.mutual
    """Both move, as in the original; false moves only the one who follows."""


class StochasticBoundedConfidenceBlock(Block):
    """Okawa & Iwata 2022."""

    exponent: float = _parameter(_STOCHASTIC, "exponent")
    """Above 0 the like-minded meet, below 0 opposites do."""
    rate: float = _parameter(_STOCHASTIC, "rate")
    """How far one meeting moves an agent."""
    pull: Pull = _STOCHASTIC.pull
    """`difference` moves towards the other's stance; `addition` adds to one's own in its direction."""


class HegselmannKrauseBlock(Block):
    """Hegselmann & Krause 2002."""

    epsilon: float = _parameter(_NEAR, "epsilon")
    """Neighbours up to this distance of stance count."""


class LorenzBlock(Block):
    """Lorenz, Neumann & Schröder 2021."""

    alpha: float = _parameter(_LORENZ, "alpha")
    """Strength of change."""
    latitude: float = _parameter(_LORENZ, "latitude")
    """Distance of stance at which a message counts half."""
    sharpness: float = _parameter(_LORENZ, "sharpness")
    """How sharply messages lose weight there."""
    assimilation: float = _parameter(_LORENZ, "assimilation")
    """1 moves towards the message; 0 is driven by the message itself, outwards where voices agree."""


class DeGrootBlock(Block):
    """DeGroot 1974."""

    self_weight: float = _parameter(_DEGROOT, "self_weight")
    """Weight of one's own stance."""


class FriedkinJohnsenBlock(Block):
    """Friedkin & Johnsen 1990."""

    susceptibility: float = _parameter(_FRIEDKIN, "susceptibility")
    """Weight of others against one's own first stance."""


class OpinionModelsBlock(Block):
    """Parameters of the conditions that are classical models instead of language agents."""

    bounded_confidence: BoundedConfidenceBlock = BoundedConfidenceBlock()
    """A random neighbour counts if near enough."""
    stochastic_bounded_confidence: StochasticBoundedConfidenceBlock = StochasticBoundedConfidenceBlock()
    """The nearer a neighbour, the likelier to be heard."""
    hegselmann_krause: HegselmannKrauseBlock = HegselmannKrauseBlock()
    """All neighbours near enough count at once."""
    lorenz: LorenzBlock = LorenzBlock()
    """Assimilation and reinforcement."""
    degroot: DeGrootBlock = DeGrootBlock()
    """The mean of all neighbours and oneself."""
    friedkin_johnsen: FriedkinJohnsenBlock = FriedkinJohnsenBlock()
    """The mean of all neighbours, and one's own first stance."""

    def model(self, name: OpinionCondition) -> OpinionModel:
        """The model of a condition with its parameters."""
        return MODELS[name](**getattr(self, name).model_dump())
