"""Who lives in Brackwater: stance, topics, style, activity and action habits of each person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from agents.decision import ALL_ACTIONS, Action
from agents.synthetic import plan, town
from agents.synthetic.habits import Habits, draw_habits, pick
from agents.synthetic.phrases import FRAMES, PLAN_FRAMES
from agents.synthetic.topics import TOPICS

SIDES = ("skeptical", "supportive")
PURPOSES = (*FRAMES, "question")

# Mean share of each action in the town; every person draws their own around it.
ACTION_SHARES: dict[Action, float] = {
    Action.CREATE_POST: 0.20,
    Action.CREATE_COMMENT: 0.17,
    Action.LIKE_POST: 0.27,
    Action.DISLIKE_POST: 0.09,
    Action.REPOST: 0.07,
    Action.QUOTE_POST: 0.06,
    Action.FOLLOW: 0.05,
    Action.DO_NOTHING: 0.09,
}

# fmt: off
_SYLLABLES = (
    "ba", "be", "bi", "bo", "da", "do", "el", "fa", "fe", "fi", "ga", "go", "ha", "he", "ila", "in",
    "ja", "jo", "ka", "ke", "ki", "la", "le", "li", "lo", "ma", "me", "mi", "mo", "na", "ne", "ni", "no",
    "ola", "or", "pa", "pe", "ra", "re", "ri", "ro", "sa", "se", "si", "so", "ta", "te", "ti", "to",
    "ul", "va", "vi", "wen", "ya", "zo",
)
# fmt: on
_HANDLE_TAILS = (
    "",
    "",
    "",
    "_b",
    "_harbour",
    "_north",
    "_mill",
    "x",
    "_real",
    "_at_sea",
    "_says",
    "_jr",
    "_home",
)


@dataclass(frozen=True)
class Person:
    """One inhabitant with everything that shapes what they write and do.

    `stance` ∈ [−1, 1], its sign is the side; `topic_weights` (over `topics`), `purpose_weights` and
    `action_weights` sum to 1.
    """

    handle: str
    side: str
    stance: float
    profile: str
    activity: float
    plan_share: float
    topics: tuple[str, ...]
    topic_weights: np.ndarray
    purposes: tuple[str, ...]
    purpose_weights: np.ndarray
    frames: Mapping[str, tuple[str, ...]]
    places: tuple[str, ...]
    circle: tuple[str, ...]
    plan_names: tuple[str, ...]
    claims_for: tuple[str, ...]
    claims_against: tuple[str, ...]
    habits: Habits
    action_weights: Mapping[Action, float] = field(default_factory=dict)


def draw_people(rng: np.random.Generator, n_users: int) -> list[Person]:
    """`n_users` people with distinct handles, sides alternating and then shuffled."""
    sides = [SIDES[i % 2] for i in range(n_users)]
    rng.shuffle(sides)
    handles: dict[str, None] = {}
    while len(handles) < n_users:
        handles[_handle(rng)] = None
    return [_person(rng, handle, side) for handle, side in zip(handles, sides, strict=True)]


def _handle(rng: np.random.Generator) -> str:
    name = "".join(pick(rng, _SYLLABLES) for _ in range(int(rng.integers(2, 4))))
    number = str(int(rng.integers(2, 100))) if rng.random() < 0.5 else ""
    return name + pick(rng, _HANDLE_TAILS) + number


def _chosen(rng: np.random.Generator, options: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(options[int(i)] for i in rng.choice(len(options), size=count, replace=False))


def _person(rng: np.random.Generator, handle: str, side: str) -> Person:
    sign = 1.0 if side == "supportive" else -1.0
    topics = _chosen(rng, tuple(TOPICS), int(rng.integers(3, 7)))
    actions = rng.dirichlet([9.0 * ACTION_SHARES[a] for a in ALL_ACTIONS])
    return Person(
        handle=handle,
        side=side,
        stance=float(sign * np.clip(rng.normal(0.55, 0.27), 0.05, 1.0)),
        profile=_profile(rng, topics[0]),
        activity=float(np.clip(rng.beta(1.3, 2.2), 0.05, 1.0)),
        plan_share=float(rng.beta(2.5, 3.5)),
        topics=topics,
        topic_weights=rng.dirichlet(np.full(len(topics), 0.8)),
        purposes=PURPOSES,
        purpose_weights=rng.dirichlet(np.full(len(PURPOSES), 0.6)),
        frames={purpose: _chosen(rng, of, 2) for purpose, of in (FRAMES | PLAN_FRAMES).items()},
        places=_chosen(rng, town.PLACES, 3),
        circle=_chosen(rng, town.PEOPLE, 3),
        plan_names=_chosen(rng, plan.PLAN_NAMES, 2),
        claims_for=_chosen(rng, plan.CLAIMS_FOR, 5),
        claims_against=_chosen(rng, plan.CLAIMS_AGAINST, 5),
        habits=draw_habits(rng),
        action_weights={a: float(w) for a, w in zip(ALL_ACTIONS, actions, strict=True)},
    )


def _profile(rng: np.random.Generator, hobby: str) -> str:
    home = pick(rng, town.HOUSEHOLDS).replace("{place}", pick(rng, town.PLACES))
    return f"{pick(rng, town.JOBS)}, {home}, into {hobby}."
