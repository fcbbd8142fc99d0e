"""What a simulation or an evaluation saw of each adapter, for the store's own record of its adapters."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from adapters.store import AdapterStore, Evidence
from agents.rendering import Rendering
from metrics.individuality import BASE
from sim.individuality import HeldOutScores
from sim.progress import Watcher

if TYPE_CHECKING:
    from sim.run_dir import CellDir
    from sim.scenario import Scenario

_RENDERERS = {"structured": "decision prompt", "tool_calling": "tool prompt"}
_COLUMNS = ("adapter", "ok", "prompt_tokens", "reply_tokens")


def serving_path(scenario: Scenario) -> str:
    """What ran the model: `local engine, int8, cpu` or `vLLM`, with the weights' type where they are in our hands."""
    engine = scenario.engine
    match engine.kind:
        case "local":
            return f"local engine, {engine.weights or engine.dtype}, {engine.device}"
        case "vllm":
            return "vLLM" if engine.servers else f"vLLM, {engine.dtype}"


def evaluation_evidence(
    scores: HeldOutScores, revisions: Mapping[str, str], rendering: Rendering, path: str
) -> list[Evidence]:
    """Each person's adapter on the person's own held-out posts, against the others' adapters and the base.

    Args:
        scores: posts under adapters.
        revisions: user id → revision.
        rendering: that made rows of the posts.
        path: what ran the scoring; see `serving_path`.

    Returns:
        One evaluation for each user with held-out posts: perplexities under the own adapter, the others' (averaged in
        nats per token) and the base; the saving against the base in nats per token; how many posts.
    """
    tested = ~scores.calibration.to_numpy(dtype=bool)
    evidence = []
    for user_id, revision in revisions.items():
        mine = tested & (scores.owner == user_id).to_numpy()
        if not mine.any() or user_id not in scores.nll:
            continue
        weights = scores.tokens[mine] / scores.tokens[mine].sum()
        nats = scores.nll[mine].mul(weights, axis=0).sum()  # per token, by adapter
        others = nats.drop([user_id, BASE])
        metrics = {
            "own_perplexity": math.exp(nats[user_id]),
            "base_perplexity": math.exp(nats[BASE]),
            "gain_over_base": float(nats[BASE] - nats[user_id]),
            "held_out_posts": float(mine.sum()),
        }
        if not others.empty:
            metrics["others_perplexity"] = math.exp(float(others.mean()))
        evidence.append(
            Evidence(
                revision=revision,
                kind="evaluation",
                renderer=f"neutral decision prompt, rendering {rendering}",
                scorer="log-likelihood of own held-out posts, nats per token",
                serving_path=path,
                metrics=metrics,
            )
        )
    return evidence


def keep_rollouts(store: AdapterStore, scenario: Scenario, run: str, cell: CellDir, watcher: Watcher) -> None:
    """Write down, for every adapter that acted in a finished cell, what it was asked and how that went.

    A cell that is interrupted right after this and run again is written down twice. A store that may only be read is
    left as it is, with a word to the watcher.

    Args:
        store: of the adapters.
        scenario: of the run.
        run: its name.
        cell: whose simulation has ended.
        watcher: told when the store cannot be written.
    """
    ledger = cell.ledger.read(_COLUMNS)
    acted = ledger[ledger.adapter.notna()]
    if acted.empty:
        return
    if not os.access(store.layout.catalog, os.W_OK):
        watcher.say(
            f"{store.root}: may only be read, so the rollouts of {cell.key.id} are not written down there"
        )
        return
    path, renderer = serving_path(scenario), _RENDERERS[scenario.simulation.policy]
    store.evidence.add(
        [
            Evidence(
                revision=str(revision),
                kind="rollout",
                renderer=renderer,
                scorer="",
                serving_path=path,
                metrics={
                    "requests": float(len(rows)),
                    "done_share": float(rows.ok.mean()),
                    "prompt_tokens": float(rows.prompt_tokens.sum()),
                    "reply_tokens": float(rows.reply_tokens.map(len).sum()),
                },
                run=f"{run}/{cell.key.id}",
                condition=cell.key.condition,
                seed=cell.key.seed,
            )
            for revision, rows in acted.groupby("adapter", sort=True)
        ]
    )
