"""A step of many agents, each reading a feed and acting: our platform against OASIS's own `env.step`.

Both do the same actions on the same seed posts. OASIS gets the fastest setting that it has (its database in
memory, its `random` recommender, agents without a language model); ours ranks by `following+interest`, the
dearest of our feeds. Making the platform and signing agents up is not timed.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import tempfile
import time
from functools import partial
from typing import Any

import numpy as np

from agents.decision import TARGETS_POST, WRITES_CONTENT, Action, Decision, FeedEntry, affordances
from benchmarks.harness import Case, Figure, Goal, Results, main, ratios, take_turns
from sim.feeds import FEEDS, FeedPolicy
from sim.oasis_import import load_oasis
from sim.platform import Account, Platform

FEED_SIZE, WINDOW, FOLLOWS_EACH = 8, 10, 8
GOAL = 50.0
_DONE = "SELECT count(*) FROM trace WHERE action NOT IN ('sign_up', 'refresh')"
Script = list[list[tuple[int, Decision]]]
Edges = list[tuple[int, int]]


def draw_edges(agents: int) -> Edges:
    """Every agent follows the next few."""
    return [(a, (a + k) % agents) for a in range(agents) for k in range(1, 1 + min(FOLLOWS_EACH, agents - 1))]


def open_ours(agents: int) -> Platform:
    """Our platform with the follow graph and one seed post each."""
    platform = Platform.open(":memory:", [Account(f"user_{n}") for n in range(agents)])
    platform.seed_posts([(n, f"seed post of {n}") for n in range(agents)])
    platform.seed_follows(draw_edges(agents))
    return platform


def choose(reader: int, step: int, feed: tuple[FeedEntry, ...], rng: np.random.Generator) -> Decision:
    """Any of the open actions, with equal probability."""
    open_to = affordances(feed)
    action = open_to.actions[rng.integers(len(open_to.actions))]
    post = feed[int(rng.choice(open_to.posts[action])) - 1].post_id if action in TARGETS_POST else None
    followee = next(e.author_id for e in feed if not e.following) if action is Action.FOLLOW else None
    content = f"words of {reader} at {step}" if action in WRITES_CONTENT else None
    return Decision(action, post, followee, content)


def write_script(agents: int, steps: int) -> Script:
    """Decisions that all work out, found by playing them once."""
    policy, rng = FeedPolicy("following+interest", FEED_SIZE, WINDOW), np.random.default_rng(7)
    script: Script = []
    with open_ours(agents) as platform:
        for step in range(1, steps + 1):
            feeds = platform.feeds(policy, range(agents), rng)
            script.append([(n, choose(n, step, feed, rng)) for n, feed in enumerate(feeds)])
            platform.apply_all(step, script[-1])
    return script


def play_ours(agents: int, script: Script, kind: str | None) -> float:
    """Milliseconds per agent and step: a feed for everyone (None: no feeds), then everyone's action."""
    policy = FeedPolicy(kind, FEED_SIZE, WINDOW) if kind else None
    rng, spent = np.random.default_rng(7), 0.0
    with open_ours(agents) as platform:
        for step, decisions in enumerate(script, 1):
            start = time.perf_counter()
            if policy:
                platform.feeds(policy, range(agents), rng)
            outcomes = platform.apply_all(step, decisions)
            spent += time.perf_counter() - start
            assert all(outcome.ok for outcome in outcomes)
    return spent * 1e3 / agents / len(script)


def play_oasis(agents: int, script: Script) -> float:
    """Milliseconds per agent and step of `env.step`, each agent refreshing its feed and acting.

    The database in memory is written to `mock.db` in the working directory at the end: a temporary one.
    """
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), quiet:
        return asyncio.run(_play_oasis(agents, script)) * 1e3 / agents / len(script)


async def _play_oasis(agents: int, script: Script) -> float:
    oasis = load_oasis()
    channel = oasis.social_platform.Channel()
    platform = oasis.Platform(
        ":memory:",
        channel,
        recsys_type="random",
        refresh_rec_post_count=FEED_SIZE // 2,
        max_rec_post_len=FEED_SIZE,
        following_post_count=FEED_SIZE // 2,
    )
    graph = oasis.AgentGraph()
    people = [_oasis_agent(oasis, number, channel) for number in range(agents)]
    for person in people:
        graph.add_agent(person)
    env = oasis.make(graph, platform, ":memory:")
    await env.reset()
    for number in range(agents):
        await platform.create_post(number, f"seed post of {number}")
    for follower, followee in draw_edges(agents):
        await platform.follow(follower, followee)
    spent = 0.0
    for decisions in script:
        actions = {people[n]: _manual(oasis, decision) for n, decision in decisions}
        start = time.perf_counter()
        await env.step(actions)
        spent += time.perf_counter() - start
    done = platform.db.execute(_DONE).fetchone()[0] - agents - len(draw_edges(agents))
    assert done == sum(map(len, script)), f"OASIS did {done} actions of {sum(map(len, script))}"
    await env.close()
    return spent


def _oasis_agent(oasis: Any, number: int, channel: Any) -> Any:
    """What `env.step` needs of an agent for a `ManualAction`; a whole one takes 34 ms to make and a model."""

    class Agent:
        social_agent_id = number
        user_info = oasis.UserInfo(user_name=f"user_{number}", name="", description="")
        env = oasis.social_agent.agent.SocialEnvironment(
            oasis.social_agent.agent.SocialAction(number, channel)
        )
        perform_action_by_data = oasis.SocialAgent.perform_action_by_data

        def update_memory(self, message: object, role: object) -> None:
            """Remember nothing."""

    agent = Agent()
    agent.channel = channel  # type: ignore[attr-defined]  # set by OASIS's generator too
    return agent


def _manual(oasis: Any, decision: Decision) -> list[Any]:
    arguments: dict[str, Any] = {
        "post_id": decision.post_id,
        "followee_id": decision.followee_id,
        "quote_content" if decision.action is Action.QUOTE_POST else "content": decision.content,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    refresh, act = oasis.ActionType.REFRESH, oasis.ActionType(str(decision.action))
    return [oasis.ManualAction(refresh, {}), oasis.ManualAction(act, given)]


def measure(quick: bool) -> Results:
    """Ours over many steps, for every kind of feed; then one step of ours and of OASIS's."""
    agents, steps = (64, 3) if quick else (512, 20)
    script = write_script(agents, steps)
    kinds: dict[str, str | None] = {**{f"{kind} feed + action": kind for kind in FEEDS}, "action alone": None}
    times = take_turns({name: partial(play_ours, agents, script, kind) for name, kind in kinds.items()})
    ours = Case(
        "ours, ms per agent and step",
        {"agents": agents, "steps": steps},
        {name: Figure.of(values) for name, values in times.items()},
    )
    first = script[:1]
    pair = take_turns(
        {
            "ours": partial(play_ours, agents, first, "following+interest"),
            "oasis": partial(play_oasis, agents, first),
        }
    )
    speedup = ratios(pair["oasis"], pair["ours"])
    both = Case(
        "refresh + action, ms per agent and step",
        {"agents": agents, "steps": 1, "our feed": "following+interest"},
        {
            "ours": Figure.of(pair["ours"]),
            "OASIS env.step": Figure.of(pair["oasis"]),
            "OASIS / ours": speedup,
        },
    )
    goal = Goal("refresh + action, times faster than OASIS env.step", speedup.median, GOAL)
    return Results([ours, both], [goal])


if __name__ == "__main__":
    sys.exit(main("Platform: a feed and an action for every agent", measure))
