"""One step of each model, worked by hand, and what holds for every model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import OpinionError
from agents.opinion.averaging import DeGroot, FriedkinJohnsen
from agents.opinion.bounded_confidence import BoundedConfidence
from agents.opinion.hegselmann_krause import HegselmannKrause
from agents.opinion.lorenz import Lorenz
from agents.opinion.models import MODELS, OPINION_CONDITIONS, model_named
from agents.opinion.neighbours import Neighbours
from agents.opinion.protocol import OpinionModel
from agents.opinion.stochastic_bounded_confidence import StochasticBoundedConfidence

PAIR = Neighbours.from_follows(pd.DataFrame({"follower_id": [0, 1], "followee_id": [1, 0]}), 2)
ONE_WAY = Neighbours.from_follows(pd.DataFrame({"follower_id": [0], "followee_id": [1]}), 2)


def step(model: OpinionModel, start: list[float], neighbours: Neighbours = PAIR, **more: Any) -> list[float]:
    opinions = np.array(start)
    active = np.array(more.get("active", [True] * len(start)))
    first = np.array(more.get("first", start))
    return model.step(opinions, active, neighbours, first, np.random.default_rng(0)).tolist()


def test_bounded_confidence_closes_part_of_a_small_gap() -> None:
    # |0.2 − 0| < 0.4: 0 + 0.25·0.2 = 0.05 and 0.2 + 0.25·(−0.2) = 0.15; with bound 0.2 (strict) nobody moves.
    assert step(BoundedConfidence(epsilon=0.4, alpha=0.25), [0.0, 0.2]) == pytest.approx([0.05, 0.15])
    assert step(BoundedConfidence(epsilon=0.2, alpha=0.25), [0.0, 0.2]) == [0.0, 0.2]


def test_only_the_listener_moves_unless_both_do() -> None:
    assert step(BoundedConfidence(alpha=0.5), [0.0, 0.2], ONE_WAY) == pytest.approx([0.1, 0.2])
    assert step(BoundedConfidence(alpha=0.25, mutual=True), [0.0, 0.2], ONE_WAY) == pytest.approx(
        [0.05, 0.15]
    )


def test_stochastic_bounded_confidence_moves_by_difference_or_by_addition() -> None:
    # Two agents can only meet each other: 0.5 + 0.1·(−0.2 − 0.5) = 0.43 and −0.2 + 0.1·(0.5 + 0.2) = −0.13.
    assert step(StochasticBoundedConfidence(0.0, 0.1), [0.5, -0.2]) == pytest.approx([0.43, -0.13])
    # Addition with exponent 4: both meet themselves (distance 10⁻⁶): 0.5·1.1 and −0.2·1.1; cut at 1.
    alone = StochasticBoundedConfidence(4.0, 0.1, "addition")
    assert step(alone, [0.5, -0.2]) == pytest.approx([0.55, -0.22])
    assert step(alone, [0.99, -0.2])[0] == 1.0


def test_hegselmann_krause_averages_over_all_within_the_bound() -> None:
    # Bound 0.3: 0 and 0.3 see each other (exactly at the bound counts), 0.3 and 0.5 do, 0 and 0.5 do not.
    # 0 → (0 + 0.3)/2; 0.3 → (0 + 0.3 + 0.5)/3; 0.5 → (0.3 + 0.5)/2; −0.9 stays alone.
    start, after = [0.0, 0.3, 0.5, -0.9], [0.15, 0.8 / 3, 0.4, -0.9]
    assert step(HegselmannKrause(0.3), start, Neighbours.complete(4)) == pytest.approx(after)


def test_lorenz_step_by_hand() -> None:
    # a = 0, m = 0.5, defaults: d = 0.5, sim = 1/(1 + 0.5) = 2/3, pol = 1, 0.5·(0.5 − 0) + 0.5·0.5 = 0.5,
    # Δ = 0.5 · 1 · 2/3 · 0.5 = 1/6.
    # a = 0.5, m = 0: sim = 2/3, pol = 0.75, 0.5·(0 − 0.5) + 0 = −0.25, Δ = 0.5 · 0.75 · 2/3 · (−0.25) = −1/16.
    assert step(Lorenz(), [0.0, 0.5]) == pytest.approx([1 / 6, 0.5 - 1 / 16])


def test_lorenz_at_the_ends_nobody_moves() -> None:
    assert step(Lorenz(alpha=1.0), [1.0, -1.0]) == [1.0, -1.0]


def test_lorenz_reinforcement_drives_agreeing_voices_outwards() -> None:
    # ρ = 0, a = m = 0.5: Δ = 0.5 · 0.75 · 1 · 0.5 = 0.1875.
    assert step(Lorenz(assimilation=0.0), [0.5, 0.5]) == pytest.approx([0.6875, 0.6875])


def test_degroot_and_friedkin_johnsen_by_hand() -> None:
    # 0.75·0.2 + 0.25·1 = 0.4; whoever follows nobody keeps its opinion.
    assert step(DeGroot(0.75), [0.2, 1.0], ONE_WAY) == pytest.approx([0.4, 1.0])
    # 0.5·1 + 0.5·(−0.6) = 0.2 with first opinion −0.6.
    assert step(FriedkinJohnsen(0.5), [0.0, 1.0], ONE_WAY, first=[-0.6, 1.0]) == pytest.approx([0.2, 1.0])


@pytest.mark.parametrize("name", MODELS)
def test_whoever_is_not_active_stays(name: str) -> None:
    after = step(model_named(name)(), [0.1, 0.3], active=[False, True])
    assert after[0] == 0.1
    assert after[1] != 0.3


def models() -> st.SearchStrategy[OpinionModel]:
    """Any model with any parameters in its ranges."""

    def parameters(kind: Any) -> st.SearchStrategy[OpinionModel]:
        ranges = {name: st.floats(low, high) for name, (low, high) in kind.RANGES.items()}
        if kind is StochasticBoundedConfidence:
            ranges["pull"] = st.sampled_from(["difference", "addition"])
        if kind is BoundedConfidence:
            ranges["mutual"] = st.booleans()
        return st.builds(kind, **ranges)

    return st.one_of([parameters(kind) for kind in MODELS.values()])


OPINIONS = st.lists(st.floats(-1, 1), min_size=2, max_size=12).map(np.array)


@settings(max_examples=200, deadline=None)
@given(models(), OPINIONS, st.integers(0, 99), st.booleans())
def test_opinions_stay_in_range_and_equal_seeds_give_equal_steps(
    model: OpinionModel, start: Any, seed: int, complete: bool
) -> None:
    rng = np.random.default_rng(seed)
    size = len(start)
    pairs = pd.DataFrame(np.argwhere(~np.eye(size, dtype=bool)), columns=["follower_id", "followee_id"])
    some = pairs[rng.random(len(pairs)) < 0.4]
    neighbours = Neighbours.complete(size) if complete else Neighbours.from_follows(some, size)
    active = rng.random(size) < 0.7
    one, two = (model.step(start, active, neighbours, start, np.random.default_rng(seed)) for _ in range(2))
    assert np.abs(one).max() <= 1.0
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(
        one[~active & ~_may_be_moved(model, size)], start[~active & ~_may_be_moved(model, size)]
    )


def _may_be_moved(model: OpinionModel, size: int) -> Any:
    """In mutual meetings the neighbour moves too, active or not."""
    return np.full(size, isinstance(model, BoundedConfidence) and model.mutual)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([HegselmannKrause(0.5), DeGroot(0.3), FriedkinJohnsen(0.7)]), OPINIONS, st.integers(0, 99)
)
def test_renaming_agents_renames_the_result(model: OpinionModel, start: Any, seed: int) -> None:
    """Permutation equivariance, for the models that leave nothing to chance, on a random graph."""
    rng = np.random.default_rng(seed)
    size = len(start)
    matrix = rng.random((size, size)) < 0.5
    np.fill_diagonal(matrix, False)
    new = rng.permutation(size)  # agent i becomes new[i]

    def stepped(adjacency: Any, opinions: Any) -> Any:
        edges = pd.DataFrame(np.argwhere(adjacency), columns=["follower_id", "followee_id"])
        neighbours = Neighbours.from_follows(edges, size)
        return model.step(opinions, np.ones(size, bool), neighbours, opinions, rng)

    renamed, moved = np.zeros_like(matrix), np.empty(size)
    renamed[np.ix_(new, new)] = matrix
    moved[new] = start
    np.testing.assert_allclose(stepped(renamed, moved)[new], stepped(matrix, start), atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        BoundedConfidence(0.7, 0.3),
        StochasticBoundedConfidence(0.5, 0.2),
        Lorenz(),
        HegselmannKrause(0.6),
        DeGroot(0.4),
    ],
    ids=lambda model: type(model).__name__,
)
def test_expected_is_the_mean_of_many_steps(model: OpinionModel) -> None:
    """`expected` against simulation, for one listener in a crowd that does not move: 4σ of 4000 draws."""
    crowd = np.array([-0.8, -0.1, 0.2, 0.2, 0.9])
    start = np.concatenate([[0.1], crowd])
    active = np.array([True] + [False] * 5)
    rng = np.random.default_rng(3)
    draws = [model.step(start, active, Neighbours.complete(6), start, rng)[0] for _ in range(4000)]
    values, counts = np.unique(crowd, return_counts=True)
    own = np.array([0.1])
    expected = model.expected(own, values, counts[None, :] / 5, own)[0]
    if isinstance(
        model, HegselmannKrause
    ):  # the step counts the agent itself among the near, the crowd does not
        near = np.abs(crowd - 0.1) <= model.epsilon
        expected = (expected * near.sum() + 0.1) / (near.sum() + 1)
    assert np.mean(draws) == pytest.approx(expected, abs=4 * np.std(draws) / np.sqrt(4000) + 1e-12)


def test_parameters_out_of_range_are_named() -> None:
    with pytest.raises(
        OpinionError, match=r"BoundedConfidence\.epsilon: got 2\.5; expected a number in \[0, 2\]"
    ):
        BoundedConfidence(epsilon=2.5)
    with pytest.raises(OpinionError, match="difference or addition"):
        StochasticBoundedConfidence(pull="push")  # type: ignore[arg-type]
    with pytest.raises(OpinionError, match="'voter': unknown; expected one of bounded_confidence"):
        model_named("voter")


def test_every_condition_has_a_model() -> None:
    assert tuple(MODELS) == OPINION_CONDITIONS
