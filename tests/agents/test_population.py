import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.corpus import User
from agents.errors import PopulationError
from agents.population import draw_population
from tests.agents.people import crowd, user


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_agents_are_distinct_users_numbered_from_zero(size: int, seed: int) -> None:
    population = draw_population(crowd(left=10, right=10), size, rng(seed))
    assert [agent.agent_id for agent in population] == list(range(size)) == list(population.side.index)
    assert len({agent.user_id for agent in population}) == len({agent.handle for agent in population}) == size
    assert abs(2 * (population.side == "left").sum() - size) <= 1
    assert population.agent_of == {agent.user_id: agent.agent_id for agent in population}
    assert all(0 < agent.activity <= 1 for agent in population)


def test_the_same_generator_gives_the_same_population_in_any_order_of_users() -> None:
    people = crowd(left=10, right=10)
    assert draw_population(people, 8, rng(1)) == draw_population(people[::-1], 8, rng(1))
    assert draw_population(people, 8, rng(1)) != draw_population(people, 8, rng(2))


@given(st.integers(1, 39), st.sampled_from(["balanced", "corpus"]))
def test_a_smaller_population_is_part_of_a_larger_one(size: int, side_shares: str) -> None:
    people = crowd(left=20, right=20)
    small, large = (draw_population(people, n, rng(3), side_shares=side_shares) for n in (size, size + 1))  # type: ignore[arg-type]
    assert set(small.agent_of) < set(large.agent_of)


def test_ids_do_not_follow_sides() -> None:
    """Shuffled: among 200 agents, the first half holds neither side alone (chance 2 / C(200, 100))."""
    population = draw_population(crowd(left=100, right=100), 200, rng())
    assert 0 < (population.side[:100] == "left").sum() < 100


def test_everybody_can_be_drawn() -> None:
    population = draw_population(crowd(left=3, right=5), 8, rng(), side_shares="corpus")
    assert population.side.value_counts().to_dict() == {"left": 3, "right": 5}


def test_sides_that_do_not_take_part_are_not_drawn() -> None:
    people = [*crowd(left=5, right=5, middle=5), user("nobody")]
    population = draw_population(people, 10, rng(), sides=("left", "middle"))
    assert set(population.side) == {"left", "middle"}
    assert set(draw_population(people, 15, rng()).side) == {"left", "middle", "right"}


def test_a_corpus_without_sides_is_drawn_as_it_is() -> None:
    population = draw_population([user(f"u{n}") for n in range(5)], 5, rng(), persona="{profile}")
    assert population.side.isna().all()


def test_activity_is_stated_or_comes_from_the_number_of_posts() -> None:
    people = [user(f"u{n:02d}", posts=n + 1) for n in range(11)]
    people[0] = User("u00", None, "", people[0].posts, 0.125)
    population = draw_population(people, 11, rng(), persona="")
    rates = {agent.user_id: agent.activity for agent in population}
    # counts 1..11: the 90th percentile is 10
    assert rates["u00"] == 0.125
    assert rates["u04"] == 0.5
    assert rates["u09"] == rates["u10"] == 1


def test_rates_and_handles_do_not_depend_on_who_else_is_drawn() -> None:
    people = [user(f"User {n}", posts=n + 1) for n in range(11)]
    small, large = (draw_population(people, n, rng(), persona="") for n in (2, 11))
    facts = {agent.user_id: (agent.handle, agent.activity) for agent in large}
    assert all(facts[agent.user_id] == (agent.handle, agent.activity) for agent in small)


@pytest.mark.parametrize(
    ("size", "options", "said"),
    [
        (0, {}, "population.size: got 0"),
        (9, {}, "takes 5 users of side 'left'.*left: 4, right: 4.*at most 8"),
        (2, {"sides": ("left", "up")}, "no user has side 'up'; the corpus has left, right"),
        (2, {"persona": "{age}"}, "unknown field {age}"),
    ],
)
def test_what_cannot_be_drawn_says_why(size: int, options: dict[str, object], said: str) -> None:
    with pytest.raises(PopulationError, match=said):
        draw_population(crowd(left=4, right=4), size, rng(), **options)  # type: ignore[arg-type]


def test_a_user_who_occurs_twice_is_refused() -> None:
    with pytest.raises(PopulationError, match="'ana' occurs twice"):
        draw_population([user("ana"), user("ana")], 1, rng())
