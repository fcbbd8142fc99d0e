"""Real timelines of 300 users go the whole way from file to population."""

import time

import numpy as np
import pytest

from agents.corpus import Corpus
from agents.edge_list import read_edge_list
from agents.loading import load_corpus
from agents.population import draw_population
from agents.profiles import summarise
from agents.splitting import split_corpus
from tests.real_data import real_file


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus(real_file("tweets/timelines.jsonl.gz"), users=real_file("tweets/users.json"))


def test_loading_54100_rows_takes_seconds() -> None:
    path = real_file("tweets/timelines.jsonl.gz")
    begin = time.process_time()
    load_corpus(path)
    assert time.process_time() - begin < 3


def test_the_users_and_sides_are_those_of_the_data_card(corpus: Corpus) -> None:
    """300 users, 88 left and 212 right, 54,100 rows of which exact repeats (after white space) are left out."""
    summary = summarise(corpus)
    assert (summary.users, summary.users_per_side) == (300, {"left": 88, "right": 212})
    assert summary.posts + sum(summary.excluded.values()) == 54_100
    assert set(summary.excluded) == {"duplicate_post"}
    assert summary.posts_per_user.max == 200
    assert "2012" <= summary.first < summary.last < "2019"


def test_a_balanced_population_of_32_comes_out_of_it(corpus: Corpus) -> None:
    split = split_corpus(corpus, train_posts=80, min_held_out=5)
    assert all(len(user.train) == 80 and len(user.held_out) >= 5 for user in split)
    assert len(split) + split.excluded["too_few_posts"] == 300
    population = draw_population([s.user for s in split], 32, np.random.default_rng(0))
    assert population.side.value_counts().to_dict() == {"left": 16, "right": 16}
    assert all(agent.handle == agent.user_id for agent in population)


def test_mentions_make_a_follow_graph(corpus: Corpus) -> None:
    """The data card counts 324 directed edges among the 300."""
    population = draw_population(corpus.users, 300, np.random.default_rng(0), side_shares="corpus")
    edges, excluded = read_edge_list(real_file("tweets/mention_edges.csv"), population.agent_of)
    assert len(edges) + sum(excluded.values()) == 324
    assert not set(excluded) & {"outside_population", "bad_row"}
