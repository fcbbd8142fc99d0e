import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.bindings import ADAPTER_CONDITIONS, AdapterCondition, AdapterRefs, bind
from agents.errors import PopulationError
from agents.population import draw_population
from tests.agents.people import crowd

POPULATION = draw_population(crowd(left=4, right=4), 8, np.random.default_rng(0))
OWN = {agent.user_id: f"rev-{agent.user_id}" for agent in POPULATION}
REFS = AdapterRefs(OWN, pooled="rev-pooled", zero="rev-zero")


def bound(condition: AdapterCondition, refs: AdapterRefs = REFS, seed: int = 0) -> dict[int, str | None]:
    return bind(condition, POPULATION, refs, np.random.default_rng(seed))


@pytest.mark.parametrize("condition", ADAPTER_CONDITIONS)
def test_every_condition_binds_every_agent(condition: AdapterCondition) -> None:
    assert list(bound(condition)) == list(range(8))


def test_lora_gives_everybody_their_own() -> None:
    assert bound("lora") == {agent.agent_id: OWN[agent.user_id] for agent in POPULATION}


@pytest.mark.parametrize(
    ("condition", "ref"), [("shared_base", None), ("one_for_all", "rev-pooled"), ("zero", "rev-zero")]
)
def test_the_other_controls_give_everybody_the_same(condition: AdapterCondition, ref: str | None) -> None:
    assert set(bound(condition).values()) == {ref}


@given(st.integers(0, 2**32))
def test_permuted_gives_everybody_somebody_elses_each_once(seed: int) -> None:
    lora, permuted = bound("lora"), bound("permuted", seed=seed)
    assert sorted(map(str, permuted.values())) == sorted(map(str, lora.values()))
    assert all(permuted[agent_id] != lora[agent_id] for agent_id in lora)


def test_permuted_can_cross_the_sides() -> None:
    side_of = {OWN[agent.user_id]: agent.side for agent in POPULATION}
    crossed = bind("permuted", POPULATION, REFS, np.random.default_rng(0), "across_side")
    assert all(side_of[str(ref)] != POPULATION[agent_id].side for agent_id, ref in crossed.items())


@pytest.mark.parametrize("condition", [c for c in ADAPTER_CONDITIONS if c != "permuted"])
def test_only_permuted_uses_chance(condition: AdapterCondition) -> None:
    generator = np.random.default_rng(0)
    bind(condition, POPULATION, REFS, generator)
    assert generator.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("condition", ["lora", "permuted"])
def test_users_without_an_adapter_are_named(condition: AdapterCondition) -> None:
    missing = POPULATION[2].user_id
    refs = AdapterRefs({user_id: ref for user_id, ref in OWN.items() if user_id != missing})
    with pytest.raises(PopulationError, match=f"1 of 8 users have no adapter, the first is '{missing}'"):
        bound(condition, refs)


@pytest.mark.parametrize("condition", ["one_for_all", "zero"])
def test_a_control_without_its_adapter_says_so(condition: AdapterCondition) -> None:
    with pytest.raises(PopulationError, match=f"condition {condition}: its adapter is missing"):
        bound(condition, AdapterRefs(OWN))


def test_an_unknown_condition_lists_the_known_ones() -> None:
    with pytest.raises(PopulationError, match="lora, shared_base, permuted, one_for_all, zero"):
        bound("base")  # type: ignore[arg-type]
