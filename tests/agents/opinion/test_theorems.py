"""Known theorems of the models, each checked against an independent computation."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import OpinionError
from agents.opinion.averaging import DeGroot, FriedkinJohnsen
from agents.opinion.bounded_confidence import BoundedConfidence
from agents.opinion.hegselmann_krause import HegselmannKrause
from agents.opinion.models import MODELS, model_named
from agents.opinion.neighbours import Neighbours
from agents.opinion.trajectory import everybody, settle, simulate


def random_graph(size: int, seed: int) -> tuple[nx.DiGraph, Neighbours]:
    """Strongly connected: a ring with random chords."""
    graph = nx.gnp_random_graph(size, 0.2, seed=seed, directed=True)
    nx.add_cycle(graph, range(size))
    edges = pd.DataFrame(list(graph.edges), columns=["follower_id", "followee_id"])
    return graph, Neighbours.from_follows(edges, size)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.floats(0.0, 2.0), st.floats(0.0, 1.0))
def test_deffuant_keeps_the_mean(seed: int, epsilon: float, alpha: float) -> None:
    """Deffuant et al. 2000: what one gains the other loses, so the mean of all opinions never changes."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(-1, 1, 31)
    model = BoundedConfidence(epsilon, alpha, mutual=True)
    for neighbours in (Neighbours.complete(31), random_graph(31, seed)[1]):
        path = simulate(model, start, neighbours, everybody(20, 31), rng)
        np.testing.assert_allclose(path.mean(axis=1), start.mean(), atol=1e-12)


def test_deffuant_clusters_about_one_over_twice_the_bound() -> None:
    """Weisbuch et al. 2002: about 1/(2d) large clusters for opinions in [0, 1], so here about 1/ε on [−1, 1]."""
    start = np.random.default_rng(1).uniform(-1, 1, 500)
    for epsilon, clusters in ((1.2, 1), (0.5, 2), (0.2, 5)):
        model = BoundedConfidence(epsilon, 0.5, mutual=True)
        end = settle(
            model, start, Neighbours.complete(500), np.random.default_rng(0), tolerance=1e-4
        ).opinions
        groups = np.split(np.sort(end), np.flatnonzero(np.diff(np.sort(end)) > epsilon / 2) + 1)
        large = sum(len(group) >= 25 for group in groups)
        assert abs(large - clusters) <= 1, (epsilon, large)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20), st.floats(0, 2))
def test_hegselmann_krause_keeps_the_order_and_ends_in_clusters(
    opinions: list[float], epsilon: float
) -> None:
    """Hegselmann & Krause 2002: order is preserved; a finite number of steps ends in groups further apart than ε."""
    start = np.sort(opinions)
    rng = np.random.default_rng(0)
    neighbours = Neighbours.complete(len(start))
    path = simulate(HegselmannKrause(epsilon), start, neighbours, everybody(30, len(start)), rng)
    assert (np.diff(path, axis=1) >= -1e-12).all()
    end = settle(HegselmannKrause(epsilon), start, neighbours, rng, tolerance=1e-12)
    assert end.converged
    gaps = np.diff(np.sort(end.opinions))
    assert ((gaps <= 1e-6) | (gaps >= epsilon - 1e-6)).all()


def test_hegselmann_krause_clusters_are_fixed_points() -> None:
    start = np.array([-0.8, -0.8, 0.0, 0.7, 0.7, 0.7])
    settled = settle(HegselmannKrause(0.5), start, Neighbours.complete(6), np.random.default_rng(0))
    assert settled.converged
    assert settled.steps == 1
    np.testing.assert_allclose(settled.opinions, start, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_degroot_consensus_is_weighted_by_the_left_eigenvector(seed: int) -> None:
    """DeGroot 1974: x(∞) = π·x(0), π W = π. W is built from networkx, π by numpy."""
    graph, neighbours = random_graph(12, seed)
    start = np.random.default_rng(seed).uniform(-1, 1, 12)
    adjacency = nx.to_numpy_array(graph, nodelist=range(12), weight=None)
    weights = 0.3 * np.eye(12) + 0.7 * adjacency / adjacency.sum(axis=1, keepdims=True)
    values, vectors = np.linalg.eig(weights.T)
    stationary = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    stationary /= stationary.sum()
    settled = settle(DeGroot(0.3), start, neighbours, np.random.default_rng(0), tolerance=1e-13)
    assert settled.converged
    np.testing.assert_allclose(settled.opinions, stationary @ start, atol=1e-9)


@pytest.mark.parametrize("susceptibility", [0.2, 0.9])
def test_friedkin_johnsen_settles_at_its_closed_form(susceptibility: float) -> None:
    """Friedkin & Johnsen 1990: x(∞) = (I − λW)⁻¹ (1 − λ) x(0)."""
    graph, neighbours = random_graph(12, 5)
    start = np.random.default_rng(5).uniform(-1, 1, 12)
    adjacency = nx.to_numpy_array(graph, nodelist=range(12), weight=None)
    weights = adjacency / adjacency.sum(axis=1, keepdims=True)
    closed = np.linalg.solve(np.eye(12) - susceptibility * weights, (1 - susceptibility) * start)
    settled = settle(
        FriedkinJohnsen(susceptibility), start, neighbours, np.random.default_rng(0), tolerance=1e-13
    )
    np.testing.assert_allclose(settled.opinions, closed, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_a_longer_schedule_begins_with_the_shorter_one(name: str) -> None:
    """Quiet agents draw chance too, so the same generator gives the same beginning under any schedule."""
    rng = np.random.default_rng(2)
    start, neighbours = rng.uniform(-1, 1, 9), random_graph(9, 2)[1]
    schedule = rng.random((6, 9)) < 0.5
    model = model_named(name)()
    long = simulate(model, start, neighbours, schedule, np.random.default_rng(7))
    short = simulate(model, start, neighbours, schedule[:4], np.random.default_rng(7))
    np.testing.assert_array_equal(long[:5], short)


@pytest.mark.parametrize(
    ("start", "schedule", "message"),
    [
        ([0.0, 2.0], [[True, True]], r"start\[1\]: got 2.0; expected a number in \[-1, 1\]"),
        ([0.0, float("nan")], [[True, True]], r"start\[1\]: got nan"),
        ([0.0], [[True]], "1 opinions for 2 agents"),
        ([0.0, 0.1], [[True]], r"schedule: got shape \(1, 1\); expected \[T, 2\]"),
    ],
)
def test_what_does_not_fit_is_named(start: Any, schedule: Any, message: str) -> None:
    with pytest.raises(OpinionError, match=message):
        simulate(
            DeGroot(), np.array(start), Neighbours.complete(2), np.array(schedule), np.random.default_rng(0)
        )
