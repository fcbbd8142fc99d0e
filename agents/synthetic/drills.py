"""Exercises in reading the prompt: situations in which little but side, stance or name decides.

In ordinary logs one bit about the reader's side hides among a hundred tokens, and a small network does not
find it. Drills show it undiluted, in the ordinary prompt format. They offer few actions, so what is learned
under the full list of actions stays with the ordinary logs. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from agents.corpus import User
from agents.decision import ALL_ACTIONS, Action, Decision
from agents.synthetic.choices import Interaction, Seen, draw_interaction
from agents.synthetic.community import distinct_posts, make_wall
from agents.synthetic.people import ACTION_SHARES, Person, draw_people
from agents.synthetic.sentences import write_post

PEOPLE, POSTS = 300, 12
"""People of the drills and posts of each; they live in no community."""

# Which actions are on offer, how large the feed is, and how often the drill comes.
_OFFERS: tuple[tuple[tuple[Action, ...], tuple[int, ...], float], ...] = (
    ((Action.LIKE_POST, Action.DISLIKE_POST), (1, 1, 1, 2), 0.35),
    ((Action.LIKE_POST,), (2, 3, 4), 0.15),
    ((Action.DISLIKE_POST,), (2, 3), 0.1),
    ((Action.CREATE_COMMENT,), (1, 2), 0.1),
    ((Action.FOLLOW,), (1, 2, 3), 0.1),
    ((), (0,), 0.2),
)


class Drill(NamedTuple):
    """One exercise: `user` is its reader."""

    interaction: Interaction
    user: User


def draw_drills(rng: np.random.Generator, count: int) -> Iterator[Drill]:
    """`count` drills among people of their own, every post on the contested plan.

    Their readers have average action habits: the choice follows the stance alone. A fifth of the drills is a
    post on the plan, written to an empty feed.
    """
    habits = ACTION_SHARES | {Action.DO_NOTHING: 0.0}
    people = [replace(p, plan_share=1.0, action_weights=habits) for p in draw_people(rng, PEOPLE)]
    wall = make_wall(rng, people, [distinct_posts(rng, p, POSTS) for p in people])
    users = [User(p.handle, p.side, p.profile, ()) for p in people]
    shares = np.array([share for _, _, share in _OFFERS])
    for _ in range(count):
        offer, sizes, _ = _OFFERS[int(rng.choice(len(_OFFERS), p=shares))]
        reader = int(rng.integers(len(people)))
        drawn = _drill(rng, people[reader], reader, wall, offer, int(rng.choice(sizes)))
        yield Drill(drawn, users[reader])


def _drill(
    rng: np.random.Generator,
    person: Person,
    number: int,
    wall: list[Seen],
    offer: tuple[Action, ...],
    size: int,
) -> Interaction:
    if not offer:
        said = write_post(rng, person)
        return Interaction(person.handle, (), ALL_ACTIONS, Decision(Action.CREATE_POST, content=said.text))
    return draw_interaction(rng, person, number, wall, size=size, allowed=(*offer, Action.DO_NOTHING))
