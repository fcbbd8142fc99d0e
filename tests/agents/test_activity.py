import numpy as np
import pytest

from agents.activity import activation_schedule
from agents.population import Population, draw_population
from tests.agents.people import user

RATES = (0.1, 0.5, 1.0)


@pytest.fixture
def population() -> Population:
    people = [user(f"u{n}", activity=rate) for n, rate in enumerate(RATES)]
    return draw_population(people, 3, np.random.default_rng(0), persona="")


def test_agents_act_at_their_rate(population: Population) -> None:
    schedule = activation_schedule(population, 4_000, np.random.default_rng(0))
    assert schedule.shape == (4_000, 3)
    assert schedule.dtype == bool
    rates = np.array([agent.activity for agent in population])
    # five standard errors of a share over 4,000 draws, at most 5 · √(0.25 / 4000) = 0.04
    assert np.abs(schedule.mean(axis=0) - rates).max() < 0.04
    assert schedule[:, rates == 1].all()


def test_a_longer_schedule_begins_with_the_shorter(population: Population) -> None:
    short, long = (activation_schedule(population, steps, np.random.default_rng(5)) for steps in (7, 20))
    assert (long[:7] == short).all()


def test_quiet_steps_stay() -> None:
    population = draw_population([user("ana", activity=0.01)], 1, np.random.default_rng(0), persona="")
    assert not activation_schedule(population, 20, np.random.default_rng(0)).any(axis=1).all()


def test_no_steps_are_refused(population: Population) -> None:
    with pytest.raises(ValueError, match="steps: got 0"):
        activation_schedule(population, 0, np.random.default_rng(0))
