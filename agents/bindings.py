"""Which adapter each agent carries under each condition: the one thing that differs between conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from agents.derangement import Permute, derangement
from agents.errors import PopulationError
from agents.opinion.models import OpinionCondition

if TYPE_CHECKING:
    from agents.population import Population

AdapterCondition = Literal["lora", "shared_base", "permuted", "one_for_all", "zero"]
ADAPTER_CONDITIONS: tuple[AdapterCondition, ...] = get_args(AdapterCondition)

Condition = Literal[AdapterCondition, OpinionCondition]
"""What a cell may be run under: language agents with some adapter, or a classical opinion model without any."""

CONDITIONS: tuple[Condition, ...] = get_args(Condition)

AdapterRef = str
"""An adapter's revision id; this module never looks inside."""


@dataclass(frozen=True, slots=True)
class AdapterRefs:
    """The adapters that an experiment has.

    Args:
        own: corpus user id to the adapter trained on that user's posts.
        pooled: one adapter trained on everybody's posts.
        zero: an adapter whose update is zero.
    """

    own: Mapping[str, AdapterRef]
    pooled: AdapterRef | None = None
    zero: AdapterRef | None = None


def bind(
    condition: Condition,
    population: Population,
    refs: AdapterRefs,
    rng: np.random.Generator,
    permute: Permute = "any",
) -> dict[int, AdapterRef | None]:
    """Agent id to adapter, for every agent; None is the bare base.

    | condition | adapter |
    | --- | --- |
    | `lora` | the agent's own |
    | `shared_base` | None |
    | `permuted` | somebody else's, each exactly once (`derangement`) |
    | `one_for_all` | the pooled one |
    | `zero` | the zero one |

    Args:
        condition: one of `ADAPTER_CONDITIONS`.
        population: the agents.
        refs: what there is.
        rng: used by `permuted` only.
        permute: whose adapter `permuted` may hand over: anybody's, or that of the same or another side only.

    Raises:
        PopulationError: for a condition without adapters, a missing adapter, or a permutation that cannot be.
    """
    match condition:
        case "lora":
            donors: Mapping[int, AdapterRef | None] = _own(population, refs)
        case "shared_base":
            donors = dict.fromkeys(range(len(population)))
        case "permuted":
            own = _own(population, refs)
            image = derangement([agent.side for agent in population], rng, permute)
            donors = {agent_id: own[donor] for agent_id, donor in enumerate(image.tolist())}
        case "one_for_all":
            donors = dict.fromkeys(range(len(population)), _needed(refs.pooled, condition))
        case "zero":
            donors = dict.fromkeys(range(len(population)), _needed(refs.zero, condition))
        case _:
            raise PopulationError(
                f"condition: got {condition!r}; expected one of {', '.join(ADAPTER_CONDITIONS)}"
            )
    return dict(donors)


def _own(population: Population, refs: AdapterRefs) -> dict[int, AdapterRef]:
    missing = [agent.user_id for agent in population if agent.user_id not in refs.own]
    if missing:
        raise PopulationError(
            f"{len(missing)} of {len(population)} users have no adapter, the first is {missing[0]!r}; "
            "train them first"
        )
    return {agent.agent_id: refs.own[agent.user_id] for agent in population}


def _needed(ref: AdapterRef | None, condition: AdapterCondition) -> AdapterRef:
    if ref is None:
        raise PopulationError(f"condition {condition}: its adapter is missing; train it first")
    return ref
