"""A whole made-up community: timelines, interaction logs and the truth behind them, from one generator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from agents.corpus import Corpus, Post, User
from agents.decision import ALL_ACTIONS, FeedEntry
from agents.synthetic.choices import Interaction, Seen, draw_interaction, strange_text
from agents.synthetic.people import Person, draw_people
from agents.synthetic.sentences import Utterance, write_post
from agents.synthetic.topics import TOPICS
from agents.times import sortable_time

STRANGE_SHARE = 0.02
_EPOCH = datetime(2031, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Community:
    """What can be observed (corpus, interactions) and what made it so (truth, one row per user)."""

    corpus: Corpus
    interactions: tuple[Interaction, ...]
    truth: pd.DataFrame


def make_community(
    rng: np.random.Generator,
    n_users: int,
    posts_per_user: int = 120,
    interactions_per_user: int = 20,
    *,
    name: str = "brackwater",
) -> Community:
    """Draw a community.

    Half of the users (rounded) support the town's tram plan, half are skeptical; wording, likes and answers
    follow each user's latent stance with noise, and every user has a style of their own.

    Args:
        rng: the only source of chance; the same state gives the same community.
        n_users: at least 2.
        posts_per_user: length of every timeline, at least 1.
        interactions_per_user: logged decisions per user, 0 or more.
        name: of the corpus.

    Raises:
        ValueError: for counts out of range.
    """
    for label, value, least in (
        ("n_users", n_users, 2),
        ("posts_per_user", posts_per_user, 1),
        ("interactions_per_user", interactions_per_user, 0),
    ):
        if value < least:
            raise ValueError(f"{label}: got {value}; expected at least {least}")
    people = draw_people(rng, n_users)
    said = [_distinct_posts(rng, person, posts_per_user) for person in people]
    users = [_user(rng, person, texts) for person, texts in zip(people, said, strict=True)]
    interactions: tuple[Interaction, ...] = ()
    if interactions_per_user:
        wall = _wall(rng, people, said)
        interactions = tuple(
            draw_interaction(rng, person, i, wall)
            for _ in range(interactions_per_user)
            for i, person in enumerate(people)
        )
    ordered = tuple(sorted(users, key=lambda u: u.user_id))
    return Community(Corpus(name, ordered), interactions, _truth(people))


def _distinct_posts(rng: np.random.Generator, person: Person, count: int) -> list[Utterance]:
    """`count` posts of one person, without exact repeats as long as the person has anything new to say."""
    posts: dict[str, Utterance] = {}
    for _ in range(20 * count):
        said = write_post(rng, person)
        posts.setdefault(said.text, said)
        if len(posts) == count:
            return list(posts.values())
    raise ValueError(f"posts_per_user: {person.handle} ran out of words after {len(posts)} of {count} posts")


def _user(rng: np.random.Generator, person: Person, said: list[Utterance]) -> User:
    minutes = np.sort(rng.choice(365 * 24 * 60, size=len(said), replace=False))
    times = [sortable_time(_EPOCH + timedelta(minutes=int(m))) for m in minutes]
    posts = tuple(Post(time, s.text) for time, s in zip(times, said, strict=True))
    return User(person.handle, person.side, person.profile, posts, person.activity)


def _wall(rng: np.random.Generator, people: list[Person], said: list[list[Utterance]]) -> list[Seen]:
    """Every post as a feed entry; an author's fame sets how many likes their posts show."""
    wall: list[Seen] = []
    fame = rng.lognormal(0.2, 1.0, size=len(people))
    for author, (person, texts) in enumerate(zip(people, said, strict=True)):
        for utterance in texts:
            likes = int(rng.poisson(fame[author] * rng.exponential()))
            shown, about = utterance.text, utterance
            if rng.random() < STRANGE_SHARE:
                shown = strange_text(rng, person.handle, utterance.text[:40])
                about = Utterance(shown, person.topics[0], None)
            wall.append(Seen(FeedEntry(len(wall), author, person.handle, shown, likes), about))
    return wall


def _truth(people: list[Person]) -> pd.DataFrame:
    rows = []
    for person in people:
        topics = dict.fromkeys(TOPICS, 0.0)
        topics |= {t: float(w) for t, w in zip(person.topics, person.topic_weights, strict=True)}
        rows.append(
            {
                "user": person.handle,
                "side": person.side,
                "stance": person.stance,
                "activity": person.activity,
                "plan_share": person.plan_share,
                **{f"topic_{t}": w for t, w in topics.items()},
                **{f"style_{k}": v for k, v in person.habits.as_row().items()},
                **{f"action_{a}": person.action_weights[a] for a in ALL_ACTIONS},
            }
        )
    return pd.DataFrame(rows).sort_values("user", ignore_index=True)
