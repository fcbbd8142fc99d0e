"""One cell, step by step: activate, feed, prompt, generate in one batch, decide, apply in order, write down.

A step is finished when the database snapshot that carries its number is in place; the ledger's part is
written just before. A run that stops anywhere resumes after the last finished step and ends in the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.engines.protocol import Engine, GenerateRequest, GenerateResult, Message
from adapters.engines.recorded import prompt_sha256
from agents.decision import Action, Decision, affordances
from agents.errors import DecisionError
from agents.policy import Observation, Policy
from sim.feeds import FeedPolicy
from sim.ledger import LedgerRow
from sim.outcome import Outcome
from sim.platform import Account, Platform
from sim.progress import Watcher
from sim.rng import generator, request_seed
from sim.run_dir import CellDir
from sim.world import World


@dataclass(frozen=True)
class Simulation:
    """Everything that decides one cell.

    Args:
        world: what the cell shares with the other conditions.
        bindings: agent id → adapter revision, or None for the bare base; the only thing a condition changes.
        engine: answers a step's requests in one batch.
        policy: makes requests of observations, and decisions of replies.
        feed: which posts agents see.
        actions: what agents may do.
    """

    world: World
    bindings: Mapping[int, str | None]
    engine: Engine
    policy: Policy
    feed: FeedPolicy
    actions: tuple[Action, ...]

    @property
    def steps(self) -> int:
        """T, the number of acting steps."""
        return len(self.world.schedule)

    def run(self, cell: CellDir, watcher: Watcher) -> None:
        """Simulate until the last step, from wherever `cell` stands, and seal its ledger."""
        watcher.begin(cell.key.id, self.steps)
        with self._platform(cell) as platform:
            cell.ledger.forget_after(platform.step)
            watcher.advance(cell.key.id, platform.step)
            for step in range(platform.step + 1, self.steps + 1):
                rows = self._step(platform, step)
                cell.ledger.append(step, rows)
                platform.snapshot(cell.database)
                failed = sum(not row.ok for row in rows)
                watcher.advance(cell.key.id, step, f"{failed} failed" if failed else "")
        cell.ledger.seal()

    def _platform(self, cell: CellDir) -> Platform:
        if cell.database.exists():
            return Platform.restore(cell.database)
        accounts = [Account(a.handle, a.user_id, a.persona) for a in self.world.population]
        platform = Platform.open(":memory:", accounts)
        edges = self.world.follows[["follower_id", "followee_id"]].itertuples(index=False, name=None)
        platform.seed_follows(edges)
        platform.seed_posts(self.world.seed_posts)
        platform.snapshot(cell.database)
        return platform

    def _step(self, platform: Platform, step: int) -> list[LedgerRow]:
        active = np.flatnonzero(self.world.schedule[step - 1]).tolist()
        observations = self._observe(platform, step, active)
        requests = [
            self.policy.observe(
                o,
                adapter=self.bindings[o.agent.agent_id],
                seed=request_seed(self.world.seed, step, o.agent.agent_id),
            )
            for o in observations
        ]
        results = self.engine.generate(requests)
        decisions = [self._decide(o, r) for o, r in zip(observations, results, strict=True)]
        taken = [
            (o.agent.agent_id, d)
            for o, d in zip(observations, decisions, strict=True)
            if isinstance(d, Decision)
        ]
        outcomes = iter(platform.apply_all(step, taken))
        return [
            _row(
                step, o, request, result, decision, next(outcomes) if isinstance(decision, Decision) else None
            )
            for o, request, result, decision in zip(observations, requests, results, decisions, strict=True)
        ]

    def _observe(self, platform: Platform, step: int, active: Sequence[int]) -> list[Observation]:
        feeds = platform.feeds(self.feed, active, generator(self.world.seed, "feed", step))
        return [
            Observation(step, self.world.population[agent], feed, affordances(feed, self.actions))
            for agent, feed in zip(active, feeds, strict=True)
        ]

    def _decide(self, observation: Observation, result: GenerateResult) -> Decision | DecisionError:
        try:
            return self.policy.decide(observation, result)
        except DecisionError as error:
            return error


def _row(
    step: int,
    observation: Observation,
    request: GenerateRequest,
    result: GenerateResult,
    decision: Decision | DecisionError,
    outcome: Outcome | None,
) -> LedgerRow:
    taken = decision if isinstance(decision, Decision) else None
    if outcome is not None:
        ok, what, error = outcome.ok, str(outcome.kind), outcome.detail or None
    else:
        assert isinstance(decision, DecisionError)
        ok, what, error = False, decision.kind, str(decision)
    return LedgerRow(
        step=step,
        agent_id=observation.agent.agent_id,
        adapter=request.adapter,
        seed=request.sampling.seed,
        prompt=_readable(request),
        prompt_sha256=prompt_sha256(request.prompt),
        prompt_tokens=result.prompt_tokens,
        feed=[entry.post_id for entry in observation.feed],
        reply=result.text,
        reply_tokens=result.token_ids,
        logprob=float(sum(result.logprobs)),
        finish_reason=result.finish_reason,
        action=str(taken.action) if taken else None,
        post_id=taken.post_id if taken else None,
        followee_id=taken.followee_id if taken else None,
        content=taken.content if taken else None,
        ok=ok,
        outcome=what,
        error=error,
    )


def _readable(request: GenerateRequest) -> str:
    """The prompt as a person would read it; token ids are no text."""
    return "\n".join(part.content for part in request.prompt if isinstance(part, Message))
