"""N agents drawn from a corpus: who plays, under which name, how often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from agents.apportionment import SideShares, seats
from agents.corpus import User
from agents.errors import PopulationError
from agents.handles import assign_handles
from agents.personas import DEFAULT_PERSONA, persona_line

_BUSY = 0.9  # users at this quantile of post counts, and above it, act at every step


@dataclass(frozen=True, slots=True)
class Agent:
    """One simulated person.

    Args:
        agent_id: 0..N-1, the id on the platform.
        user_id: as in the corpus.
        handle: name on the platform, 1 to 20 of a-z, 0-9 and `_`.
        side: group label; None where unknown.
        persona: the line about the agent in every prompt, possibly empty.
        activity: chance to act at a step, in (0, 1].
    """

    agent_id: int
    user_id: str
    handle: str
    side: str | None
    persona: str
    activity: float


@dataclass(frozen=True)
class Population:
    """Agents in the order of their ids."""

    agents: tuple[Agent, ...]

    def __iter__(self) -> Iterator[Agent]:
        return iter(self.agents)

    def __len__(self) -> int:
        return len(self.agents)

    def __getitem__(self, agent_id: int) -> Agent:
        return self.agents[agent_id]

    @property
    def side(self) -> pd.Series[str]:
        """Side by agent id, as the measures take it; None where unknown."""
        index = pd.RangeIndex(len(self.agents), name="user_id")
        return pd.Series([agent.side for agent in self.agents], index=index, name="side", dtype=object)

    @property
    def agent_of(self) -> dict[str, int]:
        """Corpus user id to agent id."""
        return {agent.user_id: agent.agent_id for agent in self.agents}


def draw_population(
    users: Sequence[User],
    size: int,
    rng: np.random.Generator,
    *,
    sides: Sequence[str] | None = None,
    side_shares: SideShares | Mapping[str, float] = "balanced",
    persona: str = DEFAULT_PERSONA,
) -> Population:
    """Draw `size` users without replacement and shuffle them into agents 0..N-1.

    From equal generators, with one side or two, a smaller population is part of a larger one, so that sizes
    share adapters.

    Handles and activity rates come from all of `users`, so they do not depend on who is drawn. A rate
    that the corpus does not state is the user's number of posts over that of the user at the 90th
    percentile, at most 1 (ours).

    Args:
        users: all candidates.
        size: N, at least 1.
        rng: decides who is drawn and in which order.
        sides: labels that take part; None takes all. Where any user has a side, users without one stay out.
        side_shares: how many from each side; see `agents.apportionment.seats`.
        persona: template of the persona line.

    Raises:
        PopulationError: for too few users, an unknown side, or a persona that cannot be filled.
    """
    if size < 1:
        raise PopulationError(f"population.size: got {size}; expected at least 1")
    pools = _pools(users, sides)
    wanted = seats(size, {side: len(pool) for side, pool in pools.items()}, side_shares)
    drawn = [
        pools[side][place]
        for side, count in wanted.items()
        for place in rng.permutation(len(pools[side]))[:count]
    ]
    handles, rates = assign_handles(users), _activity_rates(users)
    return Population(
        tuple(
            Agent(
                agent_id=agent_id,
                user_id=user.user_id,
                handle=handles[user.user_id],
                side=user.side,
                persona=persona_line(user, persona),
                activity=rates[user.user_id],
            )
            for agent_id, user in enumerate(drawn[place] for place in rng.permutation(size))
        )
    )


def _pools(users: Sequence[User], sides: Sequence[str] | None) -> dict[str, list[User]]:
    """Candidates by side, in the order of side and user id; one nameless pool where sides are unknown."""
    ids = [user.user_id for user in users]
    if len(set(ids)) < len(ids):
        doubled = next(user_id for user_id in ids if ids.count(user_id) > 1)
        raise PopulationError(f"user {doubled!r} occurs twice among the candidates; expected distinct ids")
    ordered = sorted(users, key=lambda user: user.user_id)
    known = sorted({user.side for user in users if user.side is not None})
    unknown = [side for side in sides or () if side not in known]
    if unknown:
        raise PopulationError(
            f"population.sides: no user has side {unknown[0]!r}; "
            f"the corpus has {', '.join(known) or 'no sides'}"
        )
    if not known:
        return {"": ordered}
    return {side: [u for u in ordered if u.side == side] for side in known if sides is None or side in sides}


def _activity_rates(users: Sequence[User]) -> dict[str, float]:
    busy = float(np.quantile([len(user.posts) for user in users], _BUSY))
    return {
        user.user_id: user.activity if user.activity is not None else min(1.0, len(user.posts) / busy)
        for user in users
    }
